package till

import (
	"maps"
	"time"

	"tillway/money"
	"tillway/terminal"
	"tillway/terminal/people"
	"tillway/terminal/receipt"
	"tillway/terminal/receipt/paper"
	"tillway/terminal/selftest"
	"tillway/terminal/spool"
)

// operation is what the description says of one route beyond what its code does: the values are the examples, and their types the
// schemas.
type operation struct {
	tag, summary, text string
	query              []parameter
	body               any    // nil: the request has none
	optional           bool   // the body may be left out
	takes              string // media type of a body that is not JSON
	answer             any    // nil with kind
	kind               string // of an answer that is not application/json
	status             int    // 0: 200
	once               string // what doing it twice does; empty for what changes nothing
	problems           []string
}

// parameter is one of a query.
type parameter struct {
	name, text string
	schema     object
	example    any
}

func whole(least, most int64) object {
	return object{"type": "integer", "format": "int64", "minimum": least, "maximum": most}
}

func oneOf(values ...string) object { return object{"type": "string", "enum": values} }

var (
	exampleAt     = time.Date(2026, 11, 23, 12, 15, 7, 0, time.FixedZone("", 3*3600))
	exampleKWD    = money.Currency{Code: "KWD", Numeric: 414, Exponent: 3}
	exampleAmount = money.New(10_525, exampleKWD)

	exampleSale = terminal.Sale{
		V: terminal.RecordVersion, ID: 1042, Kind: terminal.KindSale, State: terminal.Approved, Acquirer: "nac", Batch: 17, Amount: exampleAmount,
		By: "ecr:till-3", Reference: "table 7", Key: "order-2026-4711", Started: exampleAt, Updated: exampleAt.Add(4 * time.Second),
		TerminalID: "TILL0001", MerchantID: "KW0000000000001", STAN: 42, Invoice: 42, LocalTime: exampleAt, MaskedPAN: "476173******0119", Scheme: "visa",
		Label: "VISA CREDIT", AID: "A0000000031010", Entry: "chip", Method: "online pin", Language: "ar", ResponseCode: "00", RRN: "632709000042",
		AuthCode: "A12345", Way: "online", HostTime: exampleAt,
		Outcome: terminal.Outcome{Code: "approved", Happened: "Approved.", Do: "Give the customer the receipt."},
	}
	exampleLog = LogState{
		Level: "info", Areas: []AreaLevel{{"card", "info"}, {"host", "debug"}}, Set: []LevelSet{{"host", "debug", exampleAt.Add(10 * time.Minute)}},
	}
	exampleSnapshot = terminal.Snapshot{
		Version: 311, Sale: 1042, State: terminal.Approved, Amount: exampleAmount, Prompt: "approved", Text: "APPROVED", Last: &exampleSale,
		Reader: terminal.Health{OK: true, Name: "GemPC Twin", State: "ready"}, Host: terminal.LinkHealth{Health: terminal.Health{OK: true, Name: "nac", State: "connected"}},
		Journal: 2077,
	}
	exampleDebt = terminal.Debt{
		ID: 88, Sale: 1040, Acquirer: "nac", Kind: terminal.ReversalDebt, STAN: 40, State: terminal.Parked, Since: exampleAt, Attempts: 3, Reason: "the bank has refused it for good: 12",
	}
	exampleBatch = terminal.Batch{
		Acquirer: "nac", Number: 17, State: terminal.BatchDraining, Currency: exampleKWD, Opened: exampleAt.Add(-9 * time.Hour), By: "sara",
	}
	exampleUser = User{Name: "maryam", Role: people.Cashier, Changed: exampleAt, Seen: exampleAt}
	exampleECR  = ECR{Name: "till-3", May: people.DefaultGrants(), Added: exampleAt, Changed: exampleAt, NexoKeys: []ECRNexoKey{{Version: 1, Added: exampleAt}}}

	exampleHeader   = receipt.Header{Name: "TILLWAY TEST SHOP", Location: []string{"Salmiya, Kuwait"}}
	exampleKernel   = receipt.Kernel{Name: "contact", Version: "1.0.0", Checksum: "5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592"}
	exampleReport   = terminal.MakeReport(exampleBatch, nil, exampleAt)
	exampleSelftest = selftest.NewReport(exampleAt, 812*time.Millisecond, "1.0.0, kernel 1.0.0", true, []selftest.Finding{
		selftest.Good(selftest.Store, "rows", "20411 rows authenticate"), selftest.Bad("host_closed", "pos.example.com:8583", "Nobody listens at pos.example.com:8583: the connection is refused."),
	})
	examplePrinter = PrinterStatus{Name: "escpos on /dev/usb/lp0", Status: spool.Status{Ready: true}}
)

var exampleHostTest = HostTest{Acquirer: "nac", Hosts: []HostTested{
	{Address: "host.example:8583", Status: HostAnswers, Step: "done", Connect: 41, SignOn: 63, Echo: 22},
	{Address: "standby.example:8583", Status: HostWarning, Step: "connect", Fault: "standby_down", Cause: "standby.example:8583 refuses the connection", Fix: "Sales go to the others: call the acquirer."},
}}

const exampleToken = "6f1ed002ab5595859014ebf0951522d9f5f6a52c0f0c4f8e9d3b7a1c2e4d6f80"

// Parameters that several routes have.
var (
	paperQuery = []parameter{
		{"format", "What it is drawn as; nexo lines are of receipts alone.", oneOf("json", "text", "html", "png", "nexo"), "text"},
		{"lang", "In which language; absent: the paper's own.", oneOf("en", "ar", "both"), "both"},
		{"width", "Columns of a text.", whole(receipt.MinWidth, receipt.MaxWidth), receipt.DefaultWidth},
		{"dots", "Width of a picture.", whole(paper.Narrow, paper.Wide), paper.Wide},
	}
	pageQuery = []parameter{
		{"after", "Rows behind this number; 0 or absent: from the first on.", whole(0, 1<<63-1), 2070},
		{"limit", "At most so many rows.", whole(1, MaxRows), 100},
	}
	batchQuery = append([]parameter{{"batch", "A batch's number; absent: the newest that fits.", whole(1, 999_999), 17}}, paperQuery...)
)

// searchQuery is what transactions can be looked for by.
var searchQuery = []parameter{
	{"last", "At most so many.", whole(1, MaxRows), 20},
	{"before", "Only those with a number below this one: the \"next\" of the answer before.", whole(1, 1<<63-1), 1040},
	{"card_of", "Only those of the card that this transaction was made with; goes with last alone.", whole(1, 1<<63-1), 1041},
	{"key", "The idempotency key that it was sent with, by this caller.", object{"type": "string", "maxLength": 64}, "order-2026-4711"},
	{"reference", "The shop's own reference.", object{"type": "string", "maxLength": 64}, "table 7"},
	{"amount", "Minor units.", whole(0, 1<<63-1), 10525},
	{"pan", "The card number's last four digits.", object{"type": "string", "pattern": "^[0-9]{4}$"}, "0119"},
	{"rrn", "Retrieval reference number (DE 37).", object{"type": "string", "maxLength": 12}, "632709000042"},
	{"stan", "System trace audit number (DE 11).", whole(1, 999_999), 42},
	{"auth", "Authorisation code (DE 38).", object{"type": "string", "maxLength": 6}, "A12345"},
	{"state", "State.", object{"$ref": "#/components/schemas/State"}, "Approved"},
	{"kind", "Kind.", object{"$ref": "#/components/schemas/Kind"}, "sale"},
	{"from", "From the beginning of this day, in the shop's zone.", object{"type": "string", "format": "date"}, "2026-11-01"},
	{"to", "Up to the end of this day, in the shop's zone.", object{"type": "string", "format": "date"}, "2026-11-23"},
}

// Problems that several routes have.
var (
	bodyProblems  = []string{"not_json", "bad_body"}
	orderProblems = []string{"not_json", "bad_order", "too_large", "order_refused", "busy", "key_reused", "batch_full", "no_such_sale", "quarantined"}
	paperProblems = []string{"bad_query", "quarantined"}
)

// Words on doing something twice.
const (
	byKey    = "Send \"key\": the same key with the same order gives the same transaction again, whatever became of the connection or the terminal in between, and charges once. Keys are each caller's own. Without a key every order is a new one."
	settled  = "A second one finds nothing to do and is refused; nothing is done twice."
	sameWord = "The first word counts; a second finds no question and is refused with 409."
	sameWish = "Asking again asks for the same."
	eachTime = "Each one does it again."
)

// operations is every route's part of the description.
func operations() map[string]operation {
	all := map[string]operation{}
	for _, part := range []map[string]operation{saleOperations(), lookOperations(), queueOperations(), batchOperations(), printOperations(), peopleOperations(), ecrOperations(), provisionOperations()} {
		maps.Copy(all, part)
	}
	return all
}

func saleOperations() map[string]operation {
	order := terminal.Order{Kind: terminal.KindSale, Amount: exampleAmount, Reference: "table 7", Key: "order-2026-4711"}
	return map[string]operation{
		"POST /v1/sales": {
			tag: "Payments", summary: "Begin a transaction", body: order, answer: exampleSale, status: 201, once: byKey, problems: orderProblems,
			text: "Begins a sale, refund, void, pre-authorisation, increment, completion, balance inquiry or forced sale, and answers as soon as it has a number; a card is then waited for. It goes on whatever becomes of the connection. Its end is a row of the journal and of the event stream; GET /v1/sales/{id} shows it at any time. The right that it needs is its kind's: sale, refund (with \"of\"), unreferenced_refund (without), void, preauth, increment, completion, balance or forced.",
		},
		"POST /v1/cancel": {
			tag: "Payments", summary: "Cancel the running transaction", answer: exampleSnapshot, status: 202, once: "A second one finds nothing that runs, and is refused with 409.", problems: []string{"nothing_runs", "not_cancelable", "signature_due"},
			text: "Asks for the transaction to be cancelled. While the bank is being asked it is too late: 409, and the outcome decides.",
		},
		"POST /v1/sales/{id}/signature": {
			tag: "Payments", summary: "Say whether the signature matches", body: map[string]bool{"matches": true}, answer: exampleSnapshot, status: 202, once: sameWord, problems: []string{"bad_id", "not_json", "bad_signature", "no_signature", "too_large"},
			text: "For a transaction that waits in AgreementOnline or AgreementOffline for a signature to be compared. No answer within its time is a no.",
		},
		"POST /v1/sales/{id}/agreement": {
			tag: "Payments", summary: "Say whether the sale stands as it was approved", body: map[string]bool{"agreed": true}, answer: exampleSnapshot, status: 202, once: sameWord, problems: []string{"bad_id", "not_json", "bad_agreement", "no_signature", "too_large"},
			text: "For a sale that the bank approved for less than was asked for (partial approval): yes, and the rest is paid in another way; no, and all of it is reversed.",
		},
		"POST /v1/sales/{id}/confirmation": {
			tag: "Payments", summary: "Say whether the payment is meant, in spite of the warning", body: map[string]bool{"meant": true}, answer: exampleSnapshot, status: 202, once: sameWord, problems: []string{"bad_id", "not_json", "bad_confirmation", "no_warning", "too_large"},
			text: "For a sale with \"confirm\" in the snapshot: the same card has paid the same amount a moment ago. Nothing has been sent yet.",
		},
		"GET /v1/sales": {
			tag: "Payments", summary: "Find transactions, newest first", answer: Sales{Sales: []terminal.Sale{exampleSale}}, problems: []string{"bad_query", "bad_id", "no_such_sale"},
			text:  "The way back to a transaction whose answer was lost is key=, with the key that it was sent with.",
			query: searchQuery,
		},
		"GET /v1/sales/{id}": {
			tag: "Payments", summary: "One transaction", answer: exampleSale, problems: []string{"bad_id", "no_such_sale", "quarantined"},
			text: "As the journal has it, or, while it runs, as it stands. State is one of Approved, Declined, Cancelled and Reversed when nothing follows any more.",
		},
		"GET /v1/sales/{id}/receipt": {
			tag: "Payments", summary: "A transaction's receipt", answer: exampleReceipt(), problems: append([]string{"bad_id", "no_such_sale", "still_running"}, paperProblems...),
			text: "The customer's copy or the merchant's. Everything but the last transaction's first is a duplicate and says so.",
			query: append([]parameter{
				{"copy", "Whose.", oneOf("customer", "merchant"), "merchant"},
				{"original", "true: the first printing, of the last transaction alone.", oneOf("true", "false"), "true"},
			}, paperQuery...),
		},
		"GET /v1/sales/{id}/why": {
			tag: "Payments", summary: "Why a transaction ended as it did", problems: []string{"bad_id", "no_such_sale", "quarantined"},
			answer: Why{
				Sale: 1042, Kind: terminal.KindSale, State: terminal.Approved, Outcome: exampleSale.Outcome, ResponseCode: "00",
				Steps: []Step{{Seq: 2070, Time: exampleAt, Kind: terminal.SaleEntry, From: terminal.Ready, Event: "Start", To: "AwaitCard"}},
			},
			text: "Its steps, and each decision of card and terminal with the section of the specification that says so.",
		},
		"GET /v1/sales/{id}/transcript": {
			tag: "Payments", summary: "What terminal and card said to each other", answer: map[string]any{}, problems: []string{"bad_id", "no_such_sale", "still_running", "no_transcript"},
			text: "Masked unless it was a published test card.",
		},
		"GET /v1/sales/{id}/messages": {
			tag: "Payments", summary: "A transaction's messages to and from the host, masked", problems: []string{"bad_id", "no_such_sale", "quarantined"},
			answer: SaleMessages{Messages: []Message{{Time: exampleAt, From: FromTerminal, MTI: "0200", STAN: 42, Bytes: 211, Fields: map[string]string{"4": "000000010525"}}}},
			text:   "Of the last thousand since the terminal started.",
		},
	}
}

// Papers in JSON have their lines beside their model.
type (
	ReceiptPaper struct {
		receipt.Receipt

		Lines []Line `json:"lines"`
	}
	BatchPaper struct {
		receipt.BatchSlip

		Lines []Line `json:"lines"`
	}
	KernelPaper struct {
		receipt.KernelSlip

		Lines []Line `json:"lines"`
	}
)

func batchPaper(s receipt.BatchSlip) BatchPaper { return BatchPaper{s, Lines(s.Page())[:2]} }

func kernelPaper(s receipt.KernelSlip) KernelPaper { return KernelPaper{s, Lines(s.Page())[:2]} }

func exampleReceipt() ReceiptPaper {
	r, err := receipt.Draw(exampleSale, exampleHeader, receipt.Customer, false)
	if err != nil {
		panic("the example has no receipt: " + err.Error())
	}
	return ReceiptPaper{r, Lines(r.Page())[:2]}
}

func lookOperations() map[string]operation {
	return map[string]operation{
		"GET /v1/status": {
			tag: "Status", summary: "How terminal, reader, host and queue are", text: "Without the right to see sales, nothing of a sale is in it.",
			answer: Status{
				Terminal: Terminal{
					TerminalID: "TILL0001", MerchantID: "KW0000000000001", Merchant: "TILLWAY TEST SHOP", Location: []string{"Salmiya, Kuwait"}, Currency: "KWD", Exponent: 3,
					Kinds: []terminal.Kind{terminal.KindSale, terminal.KindRefund, terminal.KindVoid}, Profile: "kuwait", Version: "1.0.0", Kernel: exampleKernel,
					CAKeys: CAKeys{Environment: "test", Keys: 12, Revoked: 1},
				},
				Snapshot: exampleSnapshot,
			},
		},
		"GET /v1/watch": {
			tag: "Status", summary: "Wait for a newer snapshot", text: "A long poll: answers as soon as there is a newer one than after, or the same after half a minute. GET /v1/events is the better way.",
			query: []parameter{{"after", "The version that is known.", whole(0, 1<<63-1), 310}}, answer: exampleSnapshot, problems: []string{"bad_query"},
		},
		"GET /v1/events": {
			tag: "Status", summary: "Follow what happens", kind: "text/event-stream", problems: []string{"bad_query", "too_many_streams"},
			text:   "Server-sent events. `state` comes first and at every change: its data is a StateEvent. `row`, with the right `journal`, is a JournalRow with its number as id: those behind the header Last-Event-ID or after=, else new ones alone. A comment comes every ten seconds. `bye` says that token or session has ended. A client that does not take an event for five seconds is dropped.",
			query:  []parameter{{"after", "Rows behind this number; the header Last-Event-ID wins.", whole(0, 1<<63-1), 2070}},
			answer: "event: state\ndata: {\"snapshot\":{…},\"training\":false}\n\nevent: row\nid: 2071\ndata: {…}\n\n",
		},
		"GET /v1/me": {
			tag: "Status", summary: "Who asks, and what they may do", answer: Me{Name: "till-3", ECR: true, May: people.DefaultGrants()}, text: "Of nobody the name is empty.",
		},
		"GET /v1/words": {
			tag: "Status", summary: "The prompts in English and Arabic", answer: Words{Prompts: terminal.Prompts()[:1]}, text: "For displays: a snapshot's prompt names its row.",
		},
		"GET /v1/kernel": {
			tag: "Status", summary: "Which card kernel runs", answer: kernelPaper(receipt.DrawKernel(exampleKernel, exampleHeader, "KW0000000000001", "TILL0001", "1.0.0", exampleAt)), query: paperQuery, problems: paperProblems,
			text: "Its version and checksum.",
		},
		"GET /v1/journal": {
			tag: "Payments", summary: "Rows of the journal", query: pageQuery, problems: []string{"bad_query"}, text: "In order, without gaps but for rows that do not authenticate.",
			answer: Rows{Rows: []terminal.JournalRow{{Seq: 2071, Time: exampleAt, Kind: terminal.SaleEntry, Sale: 1042, From: terminal.Ready, Event: "Start", To: "AwaitCard"}}, Next: 2071},
		},
		"GET /v1/openapi.json": {tag: "Status", summary: "This description", answer: map[string]any{"openapi": "3.1.0"}, text: "Anybody may read it, at every door, without a token."},
	}
}

func queueOperations() map[string]operation {
	decide := []string{"bad_id", "no_such_debt", "quarantined", "other_acquirer"}
	return map[string]operation{
		"GET /v1/queue": {
			tag: "Queue", summary: "What the bank has not acknowledged yet", text: "Reversals, advices and kept requests, in the order of owing.",
			answer: Queue{Waiting: 0, Parked: 1, Sum: exampleAmount, Oldest: exampleAt, Debts: []Queued{{Debt: exampleDebt, SaleKind: terminal.KindSale, Amount: exampleAmount, Waits: "Somebody has to decide: the bank has refused it for good: 12."}}},
		},
		"POST /v1/queue/send": {tag: "Queue", summary: "Send now what waits", answer: exampleSnapshot, status: 202, once: sameWish, text: "It goes out by itself; this does not wait for the next try."},
		"POST /v1/queue/{id}/retry": {
			tag: "Queue", summary: "Have a parked debt sent again", answer: exampleDebt, once: settled, problems: append([]string{"not_parked", "settling", "ask_bank", "bad_query"}, decide...), text: "What an earlier batch may hold is sent again only with asked=true.",
			query: []parameter{{"asked", "true: the bank was asked and does not have it.", oneOf("true"), "true"}},
		},
		"POST /v1/queue/{id}/park":      {tag: "Queue", summary: "Put a debt aside that waits", answer: exampleDebt, once: settled, problems: append([]string{"parked_already"}, decide...), text: "It is sent no more until somebody says so."},
		"POST /v1/queue/{id}/write-off": {tag: "Queue", summary: "Give a parked debt up", body: WriteOff{Note: "paid in cash, bank informed"}, answer: exampleDebt, once: settled, problems: append(append([]string{"not_parked", "note_refused"}, bodyProblems...), decide...), text: "Never for a cash register. The note is in the journal."},
	}
}

func batchOperations() map[string]operation {
	slip := batchPaper(receipt.DrawReport(exampleReport, exampleHeader, "KW0000000000001", "TILL0001"))
	proof := batchPaper(receipt.DrawProof(exampleReport, exampleHeader, "KW0000000000001", "TILL0001"))
	wants := []string{"no_totals", "empty_batch", "parked", "batch_state", "no_such_batch"}
	return map[string]operation{
		"POST /v1/settle": {
			tag: "Settlement", summary: "Have the open batch settled", body: Settle{}, optional: true, answer: exampleBatch, status: 202, once: sameWish, problems: append(append([]string{}, bodyProblems...), wants...),
			text: "Answers as soon as that is on disk; GET /v1/settle tells how far it is. Sales go on in the next batch.",
		},
		"GET /v1/settle":                {tag: "Settlement", summary: "How a settlement stands, with its proof", query: batchQuery, answer: proof, problems: append([]string{"no_such_batch"}, paperProblems...), text: "The batch on its way to the bank, else the last that was closed."},
		"POST /v1/settle/call-off":      {tag: "Settlement", summary: "Call a settlement off", answer: exampleBatch, status: 202, once: settled, problems: wants, text: "While nothing of the batch is with the bank."},
		"POST /v1/settle/{batch}/close": {tag: "Settlement", summary: "Close a disputed batch by hand", body: CloseBatch{Note: "settled with the acquirer by telephone"}, answer: exampleBatch, status: 202, once: settled, problems: append([]string{"bad_batch", "note_refused", "not_json", "bad_body"}, wants...), text: "Never for a cash register."},
		"GET /v1/report/x":              {tag: "Settlement", summary: "What the open batch holds (X)", query: batchQuery, answer: slip, problems: append([]string{"no_such_batch"}, paperProblems...), text: "It changes nothing."},
		"GET /v1/report/z":              {tag: "Settlement", summary: "What a settled batch held (Z)", query: batchQuery, answer: slip, problems: append([]string{"no_such_batch", "batch_state"}, paperProblems...), text: "The last that was closed, or the one asked for."},
	}
}

func printOperations() map[string]operation {
	return map[string]operation{
		"GET /v1/printer":         {tag: "Printer", summary: "How the receipt printer is", answer: examplePrinter, problems: []string{"no_printer"}, text: "What waits for it, and why."},
		"POST /v1/printer/print":  {tag: "Printer", summary: "Print a receipt, a report or a test", body: PrintOrder{What: spool.Receipt, Sale: 1042, Copy: receipt.Customer}, answer: examplePrinter, status: 202, once: eachTime, problems: []string{"not_json", "bad_body", "bad_print", "no_printer", "no_such_sale", "printer_full", "printer_over"}, text: "A receipt asked for is a duplicate and says so. The right is receipt, report or print, by what is printed."},
		"POST /v1/printer/resume": {tag: "Printer", summary: "Go on with a paper that is held", answer: examplePrinter, once: settled, problems: []string{"no_printer", "no_paper", "printer_over"}, text: "After somebody has looked at the printer."},
		"POST /v1/printer/drop":   {tag: "Printer", summary: "Give up the first paper that waits", answer: examplePrinter, once: "Each one gives up another paper.", problems: []string{"no_printer", "no_paper", "printer_over"}, text: "The audit log says who."},
		"GET /v1/training":        {tag: "Training", summary: "Whether sales are played", answer: TrainingState{}, text: "In training nothing reaches reader, host, journal or totals."},
		"POST /v1/training":       {tag: "Training", summary: "Switch training on or off", body: TrainingState{On: true}, answer: TrainingState{On: true}, once: sameWish, problems: append([]string{"busy", "no_training"}, bodyProblems...), text: "While no sale runs; audited. What takes or moves money is refused meanwhile (problem training)."},
		"POST /v1/drawer":         {tag: "Printer", summary: "Open the cash drawer", answer: examplePrinter, once: eachTime, problems: []string{"no_printer", "drawer"}, text: "Never for a cash register; audited."},
	}
}

func peopleOperations() map[string]operation {
	name := []string{"no_such_person", "last_administrator", "quarantined"}
	make1 := append([]string{"name_taken", "bad_name", "bad_role", "weak_secret"}, bodyProblems...)
	credentials := Credentials{Name: "maryam", Secret: "(a secret)"}
	return map[string]operation{
		"POST /v1/login":         {tag: "People", summary: "Log somebody in", body: credentials, answer: LoggedIn{Name: "maryam", Role: people.Cashier, Token: exampleToken, Idle: "15m0s", Longest: "12h0m0s"}, once: "Each one opens a session of its own.", problems: append([]string{"wrong_secret", "locked"}, bodyProblems...), text: "The token goes into the Authorization header, after Bearer. At the screen's door a cookie holds it and the answer has none. At the door for cash registers it takes a register's token to ask."},
		"POST /v1/logout":        {tag: "People", summary: "End the session", answer: map[string]string{"name": "maryam"}, once: "A second one finds no session: 401.", text: "Of the caller."},
		"POST /v1/override":      {tag: "People", summary: "A supervisor's yes to one action of this session", body: OverrideOrder{Name: "sara", Secret: "(a secret)", Action: people.Void}, answer: Override{Override: exampleToken, Expires: 60}, status: 201, once: "Each one is another yes.", problems: append([]string{"wrong_secret", "locked", "no_override"}, bodyProblems...), text: "The token goes into the header Tillway-Override of the one request that needs it, within its time. Audited with both names."},
		"POST /v1/secret":        {tag: "People", summary: "Change one's own secret", body: NewSecret{Old: "(the old)", New: "(the new)"}, answer: exampleUser, once: "The second finds the old secret wrong.", problems: append([]string{"wrong_secret", "locked", "weak_secret"}, bodyProblems...), text: "Ends the person's sessions."},
		"POST /v1/users/init":    {tag: "People", summary: "Make the first administrator", body: credentials, answer: exampleUser, status: 201, once: settled, problems: append([]string{"not_first", "not_here"}, make1...), text: "Once, at the machine's own socket, before there is anybody."},
		"GET /v1/users":          {tag: "People", summary: "Everybody", answer: Users{Users: []User{exampleUser}}, text: "Never a secret or its hash."},
		"POST /v1/users":         {tag: "People", summary: "Add somebody", body: Credentials{Name: "maryam", Role: people.Cashier, Secret: "(a secret)"}, answer: exampleUser, status: 201, once: "The name is taken then: 409.", problems: make1, text: "A cashier, supervisor, technician or administrator."},
		"POST /v1/users/{name}":  {tag: "People", summary: "Lock, unlock, give another role or secret", body: Change{Lock: new(true)}, answer: exampleUser, once: sameWish, problems: append(append([]string{"secret_first", "bad_role", "weak_secret"}, bodyProblems...), name...), text: "Exactly one member. Ends the person's sessions."},
		"POST /v1/host/test":     {tag: "Queue", summary: "Try every address of the acquirer", answer: exampleHostTest, once: eachTime, problems: []string{"busy", "no_host"}, text: "Connects, signs on and sends an echo test to each, on connections made for that. No sale may run; one that comes meanwhile waits for the address that is being tried."},
		"POST /v1/keys/exchange": {tag: "Keys", summary: "Ask the host for new session keys", body: KeyExchange{}, answer: exampleSnapshot, status: 202, once: sameWish, problems: append([]string{"no_session_keys"}, bodyProblems...), text: "As soon as no sale runs."},
		"POST /v1/keys/ticket":   {tag: "Keys", summary: "A ticket for loading keys", answer: KeysTicket{Person: "tariq", Ticket: "(a ticket)"}, once: eachTime, problems: []string{"no_key_socket"}, text: "For the secure module's own socket."},
		"GET /v1/log":            {tag: "Support", summary: "At which level the log is written", answer: exampleLog, problems: []string{"no_log"}, text: "By area, with what somebody has set and until when it holds."},
		"POST /v1/log":           {tag: "Support", summary: "Set the log's level for a while", body: LogLevel{Level: "debug", Area: "host", Seconds: 600}, answer: exampleLog, once: "The time begins anew.", problems: append([]string{"no_log", "bad_level"}, bodyProblems...), text: "It falls back by itself. Audited. Card numbers, keys and PINs are in the log at no level."},
		"POST /v1/support":       {tag: "Support", summary: "The terminal's part of a support bundle", body: struct{}{}, answer: SupportFiles{Version: "1.0.0", Files: []SupportFile{{"terminal/log.txt", "…"}}}, once: eachTime, problems: bodyProblems, text: "For pos support-bundle, which packs it with what it finds on the machine. Audited. No secret is in it, and card numbers are masked."},
		"GET /v1/backup":         {tag: "Machine", summary: "A backup of everything that the terminal keeps", kind: "application/gzip", answer: "(a tar archive, as docs/operating.md describes it)", problems: []string{"busy", "no_backup"}, text: "Between sales; audited. posd restore puts it back."},
		"GET /v1/audit":          {tag: "Audit", summary: "Rows of the audit log", query: pageQuery, problems: []string{"bad_query"}, text: "Each with the hash of the one before, which verify checks.", answer: AuditRows{Rows: []people.Row{{Seq: 12, Entry: people.Entry{Time: exampleAt, Actor: "amal", Event: people.EventECR, Person: "ecr:till-3", Result: people.Done, Note: "ecr:till-3 added"}}}, Next: 12}},
		"POST /v1/selftest":      {tag: "Status", summary: "Have the terminal test itself", answer: exampleSelftest, once: eachTime, problems: []string{"busy"}, text: "Between two sales; faults that are found are in the answer. docs/faults.md has every word of fault."},
		"POST /v1/audit/verify":  {tag: "Audit", summary: "Check everything that is kept", answer: Verified{Rows: 20411, Audit: 812, Findings: []people.Finding{}}, once: eachTime, text: "Names every row that is missing, changed or cut off."},
	}
}

var examplePackage = PackageState{
	Version: 7, SHA256: "5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592", Since: exampleAt, By: "amal", Terminal: "TILL0001", Merchant: "KW0000000000001",
}

func provisionOperations() map[string]operation {
	refused := []string{"busy", "not_local", "no_packages", "no_parameters", "package_unfit", "package_not_now"}
	state := ParametersState{Packaged: true, Works: true, Current: &examplePackage, Highest: 7}
	return map[string]operation{
		"GET /v1/provision":           {tag: "Machine", summary: "How the terminal's parameters stand", answer: state, text: "The package in force, the one before, and the last that was refused."},
		"GET /v1/provision/package":   {tag: "Machine", summary: "The parameter package in force", kind: PackageType, answer: "(the signed package)", problems: []string{"no_package"}, text: "As it was signed; its key blocks open in the secure module alone."},
		"POST /v1/provision":          {tag: "Machine", summary: "Apply a parameter package", takes: PackageType, query: []parameter{{"look", "Judge it, and change nothing.", object{"type": "boolean"}, true}}, answer: state, once: "Its version is in force already: 409.", problems: append([]string{"not_package", "package_malformed", "package_signature", "package_signer", "package_expired", "package_terminal", "package_older", "package_content"}, refused...), text: "At the machine's own socket alone, between two sales, whole or not at all; the terminal starts anew with it. Headers Tillway-Fingerprint and Tillway-Terminal carry what was compared before the first package."},
		"POST /v1/provision/rollback": {tag: "Machine", summary: "Go back to the parameter package before", answer: state, once: "There is none before then: 409.", problems: append([]string{"package_none_before"}, refused...), text: "At the machine's own socket alone; audited."},
	}
}

func ecrOperations() map[string]operation {
	one := []string{"no_such_ecr", "quarantined", "no_ecrs"}
	with := func(more ...string) []string { return append(append(more, bodyProblems...), one...) }
	return map[string]operation{
		"GET /v1/ecrs":                                    {tag: "Cash registers", summary: "Cash registers", answer: ECRs{ECRs: []ECR{exampleECR}}, problems: []string{"no_ecrs"}, text: "Never a token."},
		"POST /v1/ecrs":                                   {tag: "Cash registers", summary: "Add a cash register", body: NewECR{Name: "till-3", May: []people.Action{people.Status, people.Sell}}, answer: ECRToken{ECR: exampleECR, Token: exampleToken}, status: 201, once: "The name is taken then: 409.", problems: append([]string{"name_taken", "bad_name", "bad_right", "too_many_ecrs", "no_ecrs"}, bodyProblems...), text: "The token is told this once."},
		"POST /v1/ecrs/{name}/rotate":                     {tag: "Cash registers", summary: "Give a cash register a new token", body: RotateECR{Overlap: "24h"}, answer: ECRToken{ECR: exampleECR, Token: exampleToken}, once: "Each one ends the token before.", problems: with("ecr_revoked", "bad_overlap"), text: "The one before ends at once, or after the overlap."},
		"POST /v1/ecrs/{name}/revoke":                     {tag: "Cash registers", summary: "End a cash register's access for good", body: struct{}{}, answer: exampleECR, once: sameWish, problems: with(), text: "At once: its event streams end with bye."},
		"POST /v1/ecrs/{name}/nexo-keys":                  {tag: "Cash registers", summary: "Give a cash register a nexo passphrase", body: NewNexoKey{}, answer: NexoKeyMade{KeyIdentifier: "till-3", KeyVersion: 2, Passphrase: "(32 letters and digits)"}, status: 201, once: "Each one is another version.", problems: with("ecr_revoked", "too_many_nexo_keys", "weak_passphrase"), text: "Under its next version."},
		"POST /v1/ecrs/{name}/nexo-keys/{version}/retire": {tag: "Cash registers", summary: "Retire a version of a nexo passphrase", body: struct{}{}, answer: exampleECR, once: settled, problems: with("no_such_nexo_key", "nexo_key_retired", "ecr_revoked"), text: "What is enciphered under it is refused from then on."},
	}
}
