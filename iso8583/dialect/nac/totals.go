package nac

import (
	"fmt"
	"strconv"
	"strings"

	"tillway/iso8583/dialect"
	"tillway/terminal"
)

// A total of DE 63 is a count of three digits and a sum of twelve.
const (
	totalDigits = 15
	maxCount    = 999
	maxSum      = 999_999_999_999
)

// Totals composes the 0500 that ends a batch: DE 3 920000, behind an upload 960000; the batch in DE 60, and in DE 63 what went
// either way, in the layout of the settings. Schemes are not told apart. Errors: ErrRequest, for what does not fit the layout.
func (d *Dialect) Totals(req terminal.TotalsRequest) ([]byte, error) {
	fields := map[int]string{processingCode: totalsOfBatch, networkID: d.settings.NII}
	if req.Final {
		fields[processingCode] = totalsClosing
	}
	if err := number(fields, map[int]uint32{stan: req.STAN, batch: req.Batch}); err != nil {
		return nil, err
	}
	if err := identify(fields, req.TerminalID, req.MerchantID); err != nil {
		return nil, err
	}
	text, err := d.writeTotals(req.Lines)
	if err != nil {
		return nil, err
	}
	fields[totals] = text
	return d.pack(d.message(totalsRequest, fields))
}

// writeTotals is DE 63: sales; and refunds; and, of six pairs, nothing in those of debit cards and of authorisations, which the
// lines do not tell from the captured.
func (d *Dialect) writeTotals(lines []terminal.TotalsLine) (string, error) {
	var all terminal.TotalsLine
	for _, l := range lines {
		all.Sales, all.SalesSum = all.Sales+l.Sales, all.SalesSum+l.SalesSum
		all.Refunds, all.RefundsSum = all.Refunds+l.Refunds, all.RefundsSum+l.RefundsSum
	}
	one := func(count int, sum int64) (string, error) {
		if count < 0 || count > maxCount || sum < 0 || sum > maxSum {
			return "", fmt.Errorf("%w: totals of %d transactions and %d: at most %d and %d", ErrRequest, count, sum, maxCount, int64(maxSum))
		}
		return fmt.Sprintf("%03d%012d", count, sum), nil
	}
	sales, err := one(all.Sales, all.SalesSum)
	if err != nil {
		return "", err
	}
	refunds, err := one(all.Refunds, all.RefundsSum)
	if err != nil {
		return "", err
	}
	if d.settings.TotalsDigits == totalsOfSales {
		if all.Refunds != 0 {
			return "", fmt.Errorf("%w: refunds, and the settings have totals of sales only", ErrRequest)
		}
		return sales, nil
	}
	return sales + refunds + strings.Repeat("0", d.settings.TotalsDigits-2*totalDigits), nil
}

// Upload composes the 0320 of one transaction of a batch: what its own message had without track, PIN and chip data, under a STAN
// of the upload's own, and in DE 60 type, STAN and reference number of the original. Errors: ErrRequest.
func (d *Dialect) Upload(req terminal.UploadRequest) ([]byte, error) {
	of := withoutExcess(req.Request)
	f, err := d.uploadForm(of)
	if err != nil {
		return nil, err
	}
	original := f.mti
	f.mti, f.dated, f.names = uploadRequest, true, req.RRN != ""
	of.STAN, of.Original = req.Trace, terminal.Original{RRN: req.RRN}
	if err := number(map[int]string{}, map[int]uint32{stan: req.STAN}); err != nil {
		return nil, err
	}
	m, err := d.told(of, f)
	if err != nil {
		return nil, err
	}
	if req.Code != "" {
		if !isCode(req.Code) {
			return nil, fmt.Errorf("%w: DE 39: %q is no response code", ErrRequest, req.Code)
		}
		m.Set(responseCode, req.Code)
	}
	m.Set(batch, fmt.Sprintf("%s%06d%-12s", original, req.STAN, req.RRN))
	return d.pack(m)
}

// uploadForm is the form of the message that brought a transaction's money.
func (d *Dialect) uploadForm(req terminal.Request) (form, error) {
	switch {
	case !req.Kind.Captured():
		return form{}, fmt.Errorf("%w: upload: the kind %q is no part of a batch's totals", ErrRequest, req.Kind)
	case req.Kind == terminal.KindRefund, req.Kind == terminal.KindSale && !req.TwoStep && req.Way == terminal.WayOnline, req.Way == terminal.WayDeferred:
		req.TwoStep = false
		return d.requestForm(req)
	}
	return d.adviceForm(req)
}

// parseTotals reads DE 63 of an 0510: one, two or six pairs of count and sum, sales and refunds in turn. What is nothing of the
// kind has no totals.
func parseTotals(text string) []terminal.TotalsLine {
	if n := len(text); n != totalsOfSales && n != totalsOfSalesAndRefunds && n != totalsOfAll || !dialect.Digits(text, n) {
		return nil
	}
	var all terminal.TotalsLine
	for i := 0; i < len(text); i += totalDigits {
		count, _ := strconv.Atoi(text[i : i+3])                     // three digits
		sum, _ := strconv.ParseInt(text[i+3:i+totalDigits], 10, 64) // twelve
		if i/totalDigits%2 == 0 {
			all.Sales, all.SalesSum = all.Sales+count, all.SalesSum+sum
		} else {
			all.Refunds, all.RefundsSum = all.Refunds+count, all.RefundsSum+sum
		}
	}
	return []terminal.TotalsLine{all}
}
