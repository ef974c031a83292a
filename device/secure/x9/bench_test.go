package x9_test

import (
	"testing"

	"tillway/device/secure/x9"
)

// BenchmarkDUKPT is one step of the terminal: the next transaction key, with the future keys that it leaves behind.
func BenchmarkDUKPT(b *testing.B) {
	b.Run("tdes", func(b *testing.B) {
		ik, ksn := tdesIKOf(b)
		d := must(x9.NewTDESDevice(ik, ksn))(b)
		for b.Loop() {
			if _, _, err := d.Next(); err != nil {
				d = must(x9.NewTDESDevice(ik, ksn))(b)
			}
		}
	})
	b.Run("aes128", func(b *testing.B) {
		d := must(x9.NewAESDevice(unhex(b, aesBDK), [8]byte(unhex(b, aesIKID))))(b)
		for b.Loop() {
			if _, _, err := d.Next(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPIN makes and enciphers a PIN block.
func BenchmarkPIN(b *testing.B) {
	pin, pan, key := []byte("1234"), "4761739001010119", unhex(b, tdesBDK)
	b.Run("format0", func(b *testing.B) {
		for b.Loop() {
			block, err := x9.EncodePINBlock(x9.PINFormat0, pin, pan, nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := x9.EncryptECB(key, block[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("format4", func(b *testing.B) {
		for b.Loop() {
			if _, err := x9.EncryptPINBlock4(key, pin, pan, [8]byte{1}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMAC signs a message of 256 bytes.
func BenchmarkMAC(b *testing.B) {
	key, message := unhex(b, tdesBDK), make([]byte, 256)
	b.Run("retail", func(b *testing.B) {
		for b.Loop() {
			if _, err := x9.MAC3(key, message, x9.Pad1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("aes-cmac", func(b *testing.B) {
		for b.Loop() {
			if _, err := x9.CMACAES(key, message); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkKeyBlock opens a key block.
func BenchmarkKeyBlock(b *testing.B) {
	kbpk := unhex(b, "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6")
	const block = "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34"
	for b.Loop() {
		if _, _, err := x9.UnwrapKeyBlock(kbpk, block); err != nil {
			b.Fatal(err)
		}
	}
}
