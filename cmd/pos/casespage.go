package main

import (
	"html/template"
	"strings"
	"time"

	"tillway/terminal"
	"tillway/terminal/receipt"
)

// casesPage is index.html of a bundle of cases: one page, without script and without anything from elsewhere.
var casesPage = template.Must(template.New("cases").Funcs(template.FuncMap{
	"upper": func(s terminal.State) string { return strings.ToUpper(string(s)) }, "fields": fieldsOf, "folder": folderOf,
	"time":   func(t time.Time) string { return t.Format("2006-01-02 15:04:05.000") },
	"copies": func() []string { return []string{string(receipt.Customer), string(receipt.Merchant)} },
}).Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'">
<title>Test cases</title>
<style>
body { font: 15px/1.4 sans-serif; margin: 2em; max-width: 75em; }
table { border-collapse: collapse; margin: .5em 0 1.5em; }
th, td { border: 1px solid #999; padding: .2em .6em; text-align: left; vertical-align: top; }
pre, code { font: 13px/1.35 monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
pre { background: #f4f4f4; padding: .8em; }
.receipts img { border: 1px solid #999; max-width: 24em; }
.receipts > * { display: inline-block; vertical-align: top; margin-right: 1em; }
h2 { border-top: 2px solid #333; padding-top: .6em; }
</style>
</head>
<body>
<h1>Test cases</h1>
<p>Made {{time .Made}} by {{.By}}. Card numbers are masked to the first six and last four digits, in messages and logs alike; the card log of a published test card is complete where the terminal is set to keep it so.</p>
<table>
<tr><th>Case</th><th>Transaction</th><th>Kind</th><th>Amount</th><th>Ended</th><th>Stands</th><th>Response</th><th>STAN</th></tr>
{{- range .Cases}}
<tr><td><a href="#{{folder .Name}}">{{.Name}}</a></td><td>{{.Sale.ID}}</td><td>{{.Sale.Kind}}</td><td>{{.Sale.Amount.Format}}</td><td>{{upper .Sale.State}}</td><td>{{.Why.Story.Standing}}</td><td>{{.Sale.ResponseCode}} {{.Why.Meaning}}</td><td>{{printf "%06d" .Sale.STAN}}</td></tr>
{{- end}}
</table>
{{- range .Cases}}
{{$case := .}}
<h2 id="{{folder .Name}}">{{.Name}}: {{.Sale.Kind}} {{.Sale.ID}}, {{.Sale.Amount.Format}}, {{upper .Sale.State}}</h2>
<p>{{.Why.Story.Now}} {{.Why.Story.Next}} {{.Why.Story.Do}}</p>
{{- if .Missing}}
<p>Not there:</p><ul>{{range .Missing}}<li>{{.}}</li>{{end}}</ul>
{{- end}}
<p>Files: {{$folder := folder .Name}}{{range $name, $text := .Files}}<a href="{{$folder}}/{{$name}}">{{$name}}</a> {{end}}</p>
<h3>Receipts</h3>
<div class="receipts">
{{- range copies}}
{{with index $case.Receipts .}}<pre>{{.}}</pre>{{end}}{{with index $case.Pictures .}}<img src="{{.}}" alt="The same receipt as it is printed">{{end}}
{{- end}}
</div>
<h3>Messages between terminal and host</h3>
{{- range .Messages}}
<table>
<tr><th colspan="3">{{time .Time}}, from the {{.From}}: {{.MTI}}, {{.Bytes}} bytes{{with .Note}}; {{.}}{{end}}</th></tr>
{{- range fields .}}
<tr><td>{{.Number}}</td><td>{{.Name}}</td><td><code>{{.Value}}</code></td></tr>
{{- end}}
</table>
{{- else}}
<p>None went, or none are remembered.</p>
{{- end}}
<h3>Card log</h3>
{{- if .Card}}
<table>
<tr><th>Command</th><th>To the card</th><th>From the card</th></tr>
{{- range .Card}}
<tr><td>{{.Words}}</td><td><code>{{.Command}}</code></td><td><code>{{.Answer}}</code></td></tr>
{{- end}}
</table>
{{- else}}
<p>No card was talked with, or nothing of it is kept.</p>
{{- end}}
<h3>Journal</h3>
<table>
<tr><th>Row</th><th>Time</th><th>What</th><th>From</th><th>Event</th><th>To</th><th>Duties</th></tr>
{{- range .Rows}}
<tr><td>{{.Seq}}</td><td>{{time .Time}}</td><td>{{.Kind}}</td><td>{{.From}}</td><td>{{.Event}}</td><td>{{.To}}</td><td>{{range .Duties}}{{.}} {{end}}{{.Note}}</td></tr>
{{- end}}
</table>
<h3>Why it ended so</h3>
<pre>{{.WhyText}}</pre>
{{- end}}
</body>
</html>
`))

// folderOf is the folder of a case; its name was read before.
func folderOf(name string) string {
	_, _, folder, err := readCase(name + "=1")
	if err != nil {
		return ""
	}
	return folder
}
