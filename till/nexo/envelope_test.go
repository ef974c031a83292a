package nexo

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// The vector was made with the MIT-licensed @adyen/api-library 32.1.0: passphrase mypassphrase, nonce 00 to 0F, plain text {"a":1}.
const (
	vectorHmacKey = "cf7e99cf1feb743037cf74b5926d7f1860f45fb5f18d6603a4abb4137188143d"
	vectorAESKey  = "382da4f7c408f511c509e04d2e8f38cedf4641e132dce8e07350bd33ba0ccd84"
	vectorIV      = "12ecd9de01f69868b3e99e62fda5bf96"
	vectorBlob    = "JuvXkFmehBIrV5/zq84IcQ=="
	vectorHmac    = "Cuvi8EaTMz6PN95eh1nnTrT6KMr5BK1HhJmAEXKjAzU="
	vectorNonce   = "AAECAwQFBgcICQoLDA0ODw=="
)

func vectorKeys(t *testing.T) *keys {
	t.Helper()
	k, err := derive([]byte("mypassphrase"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEnvelopeOfTheClientLibrary(t *testing.T) {
	k := vectorKeys(t)
	if hex.EncodeToString(k.hmac[:]) != vectorHmacKey || hex.EncodeToString(k.aes[:]) != vectorAESKey || hex.EncodeToString(k.iv[:]) != vectorIV {
		t.Error("other keys than the client library derives")
	}
	nonce, err := base64.StdEncoding.DecodeString(vectorNonce)
	if err != nil {
		t.Fatal(err)
	}
	blob, tr, err := k.seal([]byte(`{"a":1}`), nonce)
	if err != nil || blob != vectorBlob || tr.Hmac != vectorHmac || tr.Nonce != vectorNonce || tr.AdyenCryptoVersion != 1 {
		t.Errorf("sealed as %s, %+v, %v", blob, tr, err)
	}
	plain, err := k.open(vectorBlob, trailer{AdyenCryptoVersion: 1, Hmac: vectorHmac, Nonce: vectorNonce})
	if err != nil || string(plain) != `{"a":1}` {
		t.Errorf("opened as %q, %v", plain, err)
	}
	if s := k.String(); strings.Contains(s, vectorAESKey[:8]) || s != "nexo keys" {
		t.Errorf("the keys print as %q", s)
	}
}

// Each thing that can be wrong with an envelope has its own name; what tells padding from an Hmac has none.
func TestEnvelopeRefused(t *testing.T) {
	k := vectorKeys(t)
	other, err := derive([]byte("another passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	flip := func(s string) string {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-1] ^= 1
		return base64.StdEncoding.EncodeToString(b)
	}
	good := trailer{AdyenCryptoVersion: 1, Hmac: vectorHmac, Nonce: vectorNonce}
	for _, c := range []struct {
		name   string
		keys   *keys
		blob   string
		change func(*trailer)
		want   error
	}{
		{"version", k, vectorBlob, func(t *trailer) { t.AdyenCryptoVersion = 2 }, errVersion},
		{"short nonce", k, vectorBlob, func(t *trailer) { t.Nonce = "AAEC" }, errNonce},
		{"nonce that is no base64", k, vectorBlob, func(t *trailer) { t.Nonce = "*" }, errNonce},
		{"blob that is no base64", k, "*", nil, errBlob},
		{"half a block", k, "AAEC", nil, errBlob},
		{"no blob", k, "", nil, errBlob},
		{"tampered Hmac", k, vectorBlob, func(t *trailer) { t.Hmac = flip(t.Hmac) }, errHmac},
		{"no Hmac", k, vectorBlob, func(t *trailer) { t.Hmac = "" }, errHmac},
		{"tampered blob", k, flip(vectorBlob), nil, errHmac},
		{"tampered nonce", k, vectorBlob, func(t *trailer) { t.Nonce = flip(t.Nonce) }, errHmac},
		{"another passphrase", other, vectorBlob, nil, errHmac},
	} {
		tr := good
		if c.change != nil {
			c.change(&tr)
		}
		if plain, err := c.keys.open(c.blob, tr); !errors.Is(err, c.want) || plain != nil {
			t.Errorf("%s: %q, %v; want %v", c.name, plain, err, c.want)
		}
	}
}

// FuzzEnvelope: what is sealed opens, and nothing that was changed does.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"a":1}`), []byte("0123456789abcdef"), 0)
	f.Add([]byte{}, []byte{}, 17)
	k, err := derive([]byte("mypassphrase"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, plain, random []byte, at int) {
		nonce := make([]byte, nonceBytes)
		copy(nonce, random)
		blob, tr, err := k.seal(plain, nonce)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := k.open(blob, tr); err != nil || string(back) != string(plain) {
			t.Fatalf("opened as %q, %v", back, err)
		}
		data, err := base64.StdEncoding.DecodeString(blob)
		if err != nil {
			t.Fatal(err)
		}
		data[uint(at)%uint(len(data))] ^= 0x40
		if back, err := k.open(base64.StdEncoding.EncodeToString(data), tr); !errors.Is(err, errHmac) {
			t.Fatalf("a changed message opened as %q, %v", back, err)
		}
		_, _ = k.open(string(plain), trailer{AdyenCryptoVersion: 1, Nonce: string(random), Hmac: string(plain)})
	})
}
