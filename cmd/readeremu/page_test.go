package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tillway/device/gempc"
)

// paged is a program with a page; its address is in the ready line.
func paged(t *testing.T) (p *program, link, address string) {
	t.Helper()
	dir := shortDir(t)
	link = filepath.Join(dir, "r")
	p = start(t, dir, "gempc", "--link", link, "--stripe", filepath.Join(dir, "s"), "--page", "127.0.0.1:0", "--fault", "mute @0")
	found := regexp.MustCompile(`page http://(127\.0\.0\.1:\d+)/`).FindStringSubmatch(p.ready)
	if found == nil {
		t.Fatalf("%q, %s", p.ready, p.errs)
	}
	return p, link, found[1]
}

// request is one of a browser's.
func request(t *testing.T, method, url, body string, headers map[string]string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers {
		if k == "Host" {
			req.Host = v
		}
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// TestPageGuard: the page itself gets in, under its own two names; a page elsewhere, or a name that somebody pointed here, does not.
func TestPageGuard(t *testing.T) {
	_, _, address := paged(t)
	port := address[strings.LastIndexByte(address, ':'):]
	home := "http://" + address
	for _, row := range []struct {
		name, method string
		headers      map[string]string
		code         int
	}{
		{"the page", "GET", nil, 200},
		{"typed by hand", "GET", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"by its other name", "GET", map[string]string{"Host": "localhost" + port}, 200},
		{"a name pointed here", "GET", map[string]string{"Host": "evil.example" + port}, 421},
		{"this address without its port", "GET", map[string]string{"Host": "127.0.0.1"}, 421},
		{"a link elsewhere", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another port of this machine", "GET", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403},
		{"its own order", "POST", map[string]string{"Origin": home, "Sec-Fetch-Site": "same-origin"}, 200},
		{"an order without an origin", "POST", nil, 403},
		{"an order of another page", "POST", map[string]string{"Origin": "http://evil.example"}, 403},
		{"an order of a page without a name", "POST", map[string]string{"Origin": "null"}, 403},
		{"an order under a name pointed here", "POST", map[string]string{"Origin": "http://evil.example" + port, "Host": "evil.example" + port}, 421},
		{"an order from a cross-site form", "POST", map[string]string{"Origin": home, "Sec-Fetch-Site": "cross-site"}, 403},
		{"an order typed by hand", "POST", map[string]string{"Origin": home, "Sec-Fetch-Site": "none"}, 403},
	} {
		url := home + "/"
		if row.method == "POST" {
			url = home + "/v1/do"
		}
		code, header, _ := request(t, row.method, url, "remove", row.headers)
		if code != row.code {
			t.Errorf("%s: %d, want %d", row.name, code, row.code)
		}
		if csp := header.Get("Content-Security-Policy"); code == 200 && (!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe")) {
			t.Errorf("%s: policy %q", row.name, csp)
		}
	}
}

// TestPageOrders: what the page may order, and what only the command line may.
func TestPageOrders(t *testing.T) {
	p, link, address := paged(t)
	profile := filepath.Join(filepath.Dir(link), "mine.toml")
	write(t, profile, "like = \"credit\"\nname = \"mine\"\n")
	for _, row := range []struct {
		order string
		want  int
	}{
		{"insert debit", 200},
		{"fault mute 3", 200},
		{"remove", 200},
		{"unplug", 200},
		{"unplug", 400},
		{"replug", 200},
		{"swipe stripe", 200},
		{"insert " + profile, 400},
		{"insert platinum", 400},
		{"wait 1ms", 400},
		{"dance", 400},
		{"fault sulk 1", 400},
		{"printer paper 0", 400},
		{strings.Repeat("x", maxOrder+1), 400},
	} {
		order, want := row.order, row.want
		code, _, text := request(t, "POST", "http://"+address+"/v1/do", order, map[string]string{"Origin": "http://" + address})
		if code != want || strings.Count(strings.TrimSpace(text), "\n") != 0 {
			t.Errorf("%.40q: %d %q, want %d", order, code, text, want)
		}
	}
	if s := p.tell("insert", profile); s.Name != "mine" {
		t.Errorf("%+v", s)
	}
}

// TestPageChoices: every card and stripe that there is, each with what it does.
func TestPageChoices(t *testing.T) {
	_, _, address := paged(t)
	code, _, text := request(t, "GET", "http://"+address+"/v1/choices", "", nil)
	var c choices
	if err := json.Unmarshal([]byte(text), &c); err != nil || code != 200 {
		t.Fatal(code, err)
	}
	if c.Kind != "gempc" || len(c.Cards) < 100 || len(c.Stripes) < 5 || len(c.Faults) < 5 || c.Printer {
		t.Errorf("%s, %d cards, %d stripes, %d faults", c.Kind, len(c.Cards), len(c.Stripes), len(c.Faults))
	}
	for _, one := range append(c.Cards, c.Stripes...) {
		if one.Name == "" || one.Note == "" {
			t.Errorf("%+v", one)
		}
	}
}

// TestPageStream: a sale's exchanges come as they happen, in their order, without card data, and a page that comes back goes on where it was.
func TestPageStream(t *testing.T) {
	p, link, address := paged(t)
	p.tell("insert", "credit") // and the fault of the command line goes with the card before
	reader, err := gempc.Open(gempc.Config{Port: link})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	presented, err := reader.Present(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, apdu := range [][]byte{
		{0x00, 0xA4, 0x04, 0x00, 0x07, 0xA0, 0, 0, 0, 0x03, 0x10, 0x10, 0x00}, {0x80, 0xA8, 0, 0, 2, 0x83, 0, 0}, {0x00, 0xB2, 1, 0x14, 0}, {0x80, 0xCA, 0x9F, 0x36, 0},
	} {
		if _, err := presented.Card.Transmit(t.Context(), apdu); err != nil {
			t.Fatal(err)
		}
	}
	all := stream4(t, address, "", "9F36020011")
	for _, want := range []string{`"name":"credit"`, "reset, ATR", "00A4040007A0000000031010", "bytes) 9000", "9F36020011"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "4761739001010119") {
		t.Error("the card's number is on the page")
	}
	again := stream4(t, address, "3", "9F36020011")
	if strings.Contains(again, "reset, ATR") || strings.Contains(again, "\nid: 3\n") || !strings.Contains(again, "\nid: 4\n") {
		t.Errorf("after event 3:\n%s", again)
	}
}

// stream4 reads events until one has a text, and is bounded by the test's own deadline.
func stream4(t *testing.T, address, after, until string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("%d %s", resp.StatusCode, kind)
	}
	var all strings.Builder
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), until) {
			return all.String()
		}
	}
	t.Fatalf("the stream ended:\n%s", all.String())
	return ""
}

// TestPageFiles: what is served is what the page names, nothing comes from elsewhere, and nothing from the wire is written as markup.
func TestPageFiles(t *testing.T) {
	_, _, address := paged(t)
	for file, kind := range map[string]string{"/": "text/html", "/page.js": "text/javascript", "/page.css": "text/css"} {
		code, header, text := request(t, "GET", "http://"+address+file, "", nil)
		if code != 200 || !strings.HasPrefix(header.Get("Content-Type"), kind) || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", file, code, header)
		}
		for _, never := range []string{"http://", "https://", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=\"", "onclick"} {
			if strings.Contains(text, never) {
				t.Errorf("%s has %s", file, never)
			}
		}
	}
	html, err := os.ReadFile("page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("page/page.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range regexp.MustCompile(`byId\("([a-z-]+)"\)`).FindAllStringSubmatch(string(script), -1) {
		if !strings.Contains(string(html), `id="`+id[1]+`"`) {
			t.Errorf("the script looks for %q", id[1])
		}
	}
	for _, control := range regexp.MustCompile(`<(?:select|input) id="([a-z-]+)"`).FindAllStringSubmatch(string(html), -1) {
		if !strings.Contains(string(html), `<label for="`+control[1]+`">`) {
			t.Errorf("%s has no label", control[1])
		}
	}
	if code, _, _ := request(t, "GET", "http://"+address+"/page.go", "", nil); code != 404 {
		t.Errorf("another file: %d", code)
	}
}
