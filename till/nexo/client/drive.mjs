// Drives a whole terminal with the unmodified, MIT-licensed client @adyen/api-library: what an integrator's program does, and what goes
// wrong on its way. It is started by cmd/demo/nexo_test.go, which has the terminal, its bank and the customer's hands.
//
// One JSON object a line goes to standard output: {"scenario":NAME,"error":WHY?,"done":true}, and {"figure":NAME,"ms":N}.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, request as httpsRequest } from "node:https";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const { values: given } = parseArgs({
  options: {
    modules: { type: "string" }, // till/screen/package.json: whose packages are used
    stage: { type: "string" }, // address of the test's control of the stack
    door: { type: "string" }, // https://127.0.0.1:PORT
    poi: { type: "string" }, // the terminal's POIID
    ca: { type: "string" }, // the terminal's own certification authority
    token: { type: "string" }, // of the register till-1
    phrase: { type: "string" }, // its nexo key, version 1
    trusted: { type: "string" }, // token of the register till-2, which may refund without a sale and settle
  },
});

const require = createRequire(given.modules);
const { Client, TerminalLocalAPI, TerminalCloudAPI } = require("@adyen/api-library");
const TerminalLocalAPIUnencrypted = require("@adyen/api-library/lib/src/services/terminalLocalAPIUnencrypted").default;
const ca = readFileSync(given.ca);

// The stack, by the test's control.
async function stage(what, ...words) {
  const answer = await fetch(`${given.stage}/${what}`, { method: "POST", body: JSON.stringify(words) });
  if (!answer.ok) throw new Error(`${what} ${words.join(" ")}: ${await answer.text()}`);
  return answer.json();
}

// Client objects as integrators make them. The suffix that the library puts behind becomes a query, which it drops.
function client(apiKey) {
  return new Client({ environment: "TEST", apiKey, terminalApiLocalEndpoint: `${given.door}/nexo/?` });
}

let next = 1;
const serviceID = () => String(next++).padStart(10, "0");
const saleID = "Shop (ID: 3)";

function message(category, body, { service = serviceID(), type = "Service", sale = saleID } = {}) {
  return {
    SaleToPOIRequest: {
      MessageHeader: { ProtocolVersion: "3.0", MessageClass: type, MessageCategory: category, MessageType: "Request", SaleID: sale, ServiceID: service, POIID: given.poi },
      ...(body === undefined ? {} : { [`${category}Request`]: body }),
    },
  };
}

function payment(amount, more = {}, options) {
  const { data, original, amounts, operator } = more;
  return message("Payment", {
    SaleData: { SaleTransactionID: { TransactionID: `order-${next}`, TimeStamp: new Date(0) }, ...(operator ? { OperatorID: operator } : {}) },
    PaymentTransaction: { AmountsReq: { Currency: "KWD", RequestedAmount: amount, ...amounts }, ...(original ? { OriginalPOITransaction: original } : {}) },
    ...(data ? { PaymentData: data } : {}),
  }, options);
}

const key = (version, phrase) => ({ AdyenCryptoVersion: 1, KeyIdentifier: "till-1", KeyVersion: version, Passphrase: phrase });

// Ways to send: in clear with a token, enciphered, and by the class for the cloud.
const clear = (token = given.token) => async (m) => new TerminalLocalAPIUnencrypted(client(token)).request(m);
const sealed = (version = 1, phrase = given.phrase) => async (m) => new TerminalLocalAPI(client("any")).request(m, key(version, phrase));
const cloud = async (m) => {
  const c = client(given.token);
  c.config.terminalApiCloudEndpoint = `${given.door}/nexo`;
  return new TerminalCloudAPI(c).sync(m);
};

function member(answer, category) {
  const response = answer.SaleToPOIResponse;
  assert.ok(response, `no SaleToPOIResponse in ${JSON.stringify(answer)}`);
  assert.equal(response.MessageHeader.MessageType, "Response");
  const m = response[`${category}Response`];
  assert.ok(m, `no ${category}Response in ${JSON.stringify(answer)}`);
  return m;
}

const says = (m) => m.Response.Result + (m.Response.ErrorCondition ? `/${m.Response.ErrorCondition}` : "");
const idOf = (m) => m.POIData.POITransactionID;

async function pays(send, amount, more, options) {
  const m = member(await send(payment(amount, more, options)), "Payment");
  await stage("settled");
  return m;
}

async function saleOf(m) {
  const sales = await stage("sales");
  return sales.find((s) => String(s.id) === idOf(m).TransactionID);
}

async function until(what, so) {
  for (let i = 0; i < 600; i++) {
    const found = await so();
    if (found) return found;
    await new Promise((r) => setTimeout(r, 50));
  }
  throw new Error(`waited in vain: ${what}`);
}

// A payment waits for its card: the customer has taken it away.
async function waiting(send, amount, options) {
  await stage("reader", "remove");
  const answer = send(payment(amount, {}, options));
  answer.catch(() => {}); // told where it is waited for
  await until("the terminal waits for a card", async () => (await stage("status")).state === "AwaitCard");
  return answer;
}

const card = () => stage("reader", "insert", "credit");

const scenarios = [];
const scenario = (name, play) => scenarios.push({ name, play });

for (const [how, send] of [["clear", clear()], ["enciphered", sealed()]]) {
  scenario(`${how}: log in`, async () => {
    const m = member(await send(message("Login", {
      DateTime: new Date(0), SaleSoftware: { ManufacturerID: "x", ApplicationName: "y", SoftwareVersion: "1", CertificationCode: "z" },
      OperatorLanguage: "en", OperatorID: "maryam", ShiftNumber: "2",
    })), "Login");
    assert.equal(says(m), "Success");
    assert.equal(m.POISystemData.POISoftware.ApplicationName, "posd");
    assert.equal(m.POISystemData.POIStatus.GlobalStatus, "OK");
  });

  scenario(`${how}: approved`, async () => {
    const m = await pays(send, 0.1 + 0.2);
    assert.equal(says(m), "Success");
    assert.equal(m.PaymentResult.AmountsResp.AuthorizedAmount, 0.3);
    assert.equal(m.PaymentResult.AmountsResp.Currency, "KWD");
    assert.equal(m.PaymentResult.PaymentInstrumentData.CardData.MaskedPan, "476173 **** 0119");
    assert.deepEqual(m.PaymentReceipt.map((r) => r.DocumentQualifier), ["CashierReceipt", "CustomerReceipt"]);
    const lines = m.PaymentReceipt[0].OutputContent.OutputText.map((l) => Object.fromEntries(new URLSearchParams(l.Text)));
    for (const wanted of ["aid", "mid", "tid", "pan", "authCode", "totalAmount", "approved", "rrn"]) {
      assert.ok(lines.some((l) => l.key === wanted), `no line ${wanted} in ${JSON.stringify(lines)}`);
    }
    const more = new URLSearchParams(m.Response.AdditionalResponse);
    assert.equal(more.get("posAuthAmountValue"), "300");
    const sale = await saleOf(m);
    assert.equal(sale.state, "Approved");
    assert.equal(sale.amount.minor, 300);
    assert.equal(sale.by, "ecr:till-1/maryam");
    const posted = (await stage("ledger")).filter((e) => Number(e.stan) === sale.stan);
    assert.equal(posted.length, 1);
    assert.equal(posted[0].amount.minor, 300);
  });

  scenario(`${how}: declined`, async () => {
    const m = await pays(send, 2.051); // the bank of the test answers 51
    assert.equal(says(m), "Failure/Refusal");
    assert.ok(new URLSearchParams(m.Response.AdditionalResponse).get("message"));
    assert.equal(m.PaymentResult.AmountsResp, undefined);
    assert.equal(m.PaymentReceipt.length, 2);
    const wrong = await pays(send, 2.055);
    assert.equal(says(wrong), "Failure/WrongPIN");
  });

  scenario(`${how}: the same ServiceID again`, async () => {
    const m = payment(1.234);
    const first = await send(m);
    await stage("settled");
    const before = (await stage("sales")).length;
    const again = await send(m);
    assert.deepEqual(again, first);
    assert.equal((await stage("sales")).length, before);
    const other = structuredClone(m);
    other.SaleToPOIRequest.PaymentRequest.PaymentTransaction.AmountsReq.RequestedAmount = 9;
    other.SaleToPOIRequest.PaymentRequest.SaleData.SaleTransactionID.TimeStamp = new Date(0);
    assert.equal(says(member(await send(other), "Payment")), "Failure/NotAllowed");
    assert.equal((await stage("sales")).length, before);
  });

  scenario(`${how}: all taken back, then a part`, async () => {
    const whole = await pays(send, 5);
    const m = member(await send(message("Reversal", { OriginalPOITransaction: { POITransactionID: idOf(whole) }, ReversalReason: "MerchantCancel" })), "Reversal");
    await stage("settled");
    assert.equal(says(m), "Success");
    assert.equal(m.ReversedAmount, 5);
    assert.equal((await saleOf(m)).kind, "void");
    const more = await pays(send, 6);
    const part = member(await send(message("Reversal", { OriginalPOITransaction: { POITransactionID: idOf(more) }, ReversalReason: "MerchantCancel", ReversedAmount: 2.5 })), "Reversal");
    await stage("settled");
    assert.equal(says(part), "Success");
    const sale = await saleOf(part);
    assert.equal(sale.kind, "refund");
    assert.equal(sale.amount.minor, 2500);
    const none = member(await send(message("Reversal", { OriginalPOITransaction: { POITransactionID: { TransactionID: "999999", TimeStamp: new Date(0) } }, ReversalReason: "MerchantCancel" })), "Reversal");
    assert.equal(says(none), "Failure/NotFound");
  });

  scenario(`${how}: refund of no sale`, async () => {
    const m = await pays(send, 1, { data: { PaymentType: "Refund" } });
    assert.equal(says(m), "Failure/NotAllowed");
    if (how === "clear") {
      const other = await pays(clear(given.trusted), 1, { data: { PaymentType: "Refund" } });
      assert.equal(says(other), "Success");
      assert.equal((await saleOf(other)).kind, "refund");
    }
  });

  scenario(`${how}: aborted in mid-payment`, async () => {
    const service = serviceID();
    const pending = waiting(send, 1, { service });
    await until("it waits", async () => (await stage("status")).state === "AwaitCard");
    const status = member(await send(message("TransactionStatus", { MessageReference: { MessageCategory: "Payment", SaleID: saleID, ServiceID: service } })), "TransactionStatus");
    assert.equal(says(status), "Failure/InProgress");
    const busy = member(await send(payment(1)), "Payment");
    assert.equal(says(busy), "Failure/Busy");
    const empty = await send(message("Abort", { AbortReason: "MerchantAbort", MessageReference: { MessageCategory: "Payment", SaleID: saleID, ServiceID: service } }));
    assert.equal(empty.SaleToPOIResponse ?? undefined, undefined, "an Abort has an answer");
    const m = member(await pending, "Payment");
    assert.equal(says(m), "Failure/Aborted");
    const late = member(await send(message("TransactionStatus", { MessageReference: { SaleID: saleID, ServiceID: service } })), "TransactionStatus");
    assert.equal(says(late.RepeatedMessageResponse.RepeatedResponseMessageBody.PaymentResponse), "Failure/Aborted");
    await card();
  });

  scenario(`${how}: answer lost, then the status`, async () => {
    const service = serviceID();
    const m = payment(3.21, {}, { service });
    await stage("reader", "remove");
    const lost = how === "clear" ? raw(m) : sealedRaw(m);
    await until("it waits", async () => (await stage("status")).state === "AwaitCard");
    lost.destroy(); // the cable is pulled out
    await card();
    const status = await until("it has ended", async () => {
      const s = member(await send(message("TransactionStatus", { ReceiptReprintFlag: true, DocumentQualifier: ["CashierReceipt", "CustomerReceipt"], MessageReference: { MessageCategory: "Payment", SaleID: saleID, ServiceID: service } })), "TransactionStatus");
      return says(s) === "Failure/InProgress" ? undefined : s;
    });
    assert.equal(says(status), "Success");
    const repeated = status.RepeatedMessageResponse;
    assert.equal(repeated.MessageHeader.ServiceID, service);
    const p = repeated.RepeatedResponseMessageBody.PaymentResponse;
    assert.equal(says(p), "Success");
    assert.equal(p.PaymentResult.AmountsResp.AuthorizedAmount, 3.21);
    await stage("settled");
    const again = member(await send(m), "Payment");
    assert.deepEqual(again, p);
    const unknown = member(await send(message("TransactionStatus", { MessageReference: { SaleID: saleID, ServiceID: "404" } })), "TransactionStatus");
    assert.equal(says(unknown), "Failure/NotFound");
  });

  scenario(`${how}: held, more of it, taken`, async () => {
    const first = await pays(send, 10, { data: { PaymentType: "FirstReservation" } });
    assert.equal(says(first), "Success");
    const more = await pays(send, 2, { data: { PaymentType: "UpdateReservation" }, original: { POITransactionID: idOf(first) } });
    assert.equal(says(more), "Success");
    const taken = await pays(send, 11.5, { data: { PaymentType: "Completion" }, original: { POITransactionID: idOf(first) } });
    assert.equal(says(taken), "Success");
    assert.equal(taken.PaymentResult.AmountsResp.AuthorizedAmount, 11.5);
    assert.equal((await saleOf(taken)).kind, "completion");
  });

  scenario(`${how}: lines on the customer's display`, async () => {
    const m = member(await send(message("Display", {
      DisplayOutput: [{ Device: "CustomerDisplay", InfoQualify: "Display", OutputContent: { OutputFormat: "Text", OutputText: [{ Text: "Coffee 1.250", EndOfLineFlag: true }, { Text: "قهوة", EndOfLineFlag: true }] } }],
    }, { type: "Device" })), "Display");
    assert.equal(m.OutputResult[0].Response.Result, "Success");
    assert.deepEqual((await stage("status")).display, [{ text: "Coffee 1.250", language: "en" }, { text: "قهوة", language: "ar" }]);
  });

  scenario(`${how}: diagnosis`, async () => {
    const m = member(await send(message("Diagnosis", { HostDiagnosisFlag: true })), "Diagnosis");
    assert.equal(says(m), "Success");
    assert.deepEqual(m.HostStatus.map((h) => h.IsReachableFlag), [true]);
    assert.equal(m.POIStatus.CardReaderOKFlag, true);
    assert.deepEqual(m.LoggedSaleID, [saleID]);
  });

  scenario(`${how}: what this terminal does not do`, async () => {
    for (const [category, body] of [["BalanceInquiry", {}], ["Input", {}], ["CardAcquisition", { SaleData: {}, CardAcquisitionTransaction: {} }], ["Admin", {}]]) {
      const m = member(await send(message(category, body, { type: category === "Input" ? "Device" : "Service" })), category);
      assert.equal(m.Response?.ErrorCondition ?? m.OutputResult?.Response?.ErrorCondition ?? m.InputResult?.Response?.ErrorCondition ?? "UnavailableService", "UnavailableService");
    }
  });

  scenario(`${how}: log out`, async () => {
    assert.equal(says(member(await send(message("Logout", {})), "Logout")), "Success");
    assert.equal(says(member(await send(message("Logout", {})), "Logout")), "Failure/LoggedOut");
  });
}

function raw(m, headers = {}) {
  const r = httpsRequest(`${given.door}/nexo`, { method: "POST", ca, agent: new Agent(), headers: { "Content-Type": "application/json", "X-API-Key": given.token, ...headers } });
  r.on("error", () => {}); // it is given up on purpose
  r.end(JSON.stringify(m));
  return r;
}

function sealedRaw(m) {
  const NexoCrypto = require("@adyen/api-library/lib/src/security/nexoCrypto").default;
  const inside = NexoCrypto.encrypt(m.SaleToPOIRequest.MessageHeader, JSON.stringify(m), key(1, given.phrase));
  return raw({ SaleToPOIRequest: inside }, { "X-API-Key": "any" });
}

scenario("by the class for the cloud, at once", async () => {
  const m = await pays(cloud, 1.5);
  assert.equal(says(m), "Success");
});

scenario("the terminal dies after the answer was lost, and knows it all the same", async () => {
  const m = payment(4.5);
  const first = await sealed()(m);
  await stage("settled");
  await stage("posd", "kill");
  await stage("posd", "on");
  const again = await sealed()(m);
  assert.deepEqual(again, first);
  const last = member(await sealed()(message("TransactionStatus", {})), "TransactionStatus");
  assert.deepEqual(last.RepeatedMessageResponse.RepeatedResponseMessageBody.PaymentResponse, member(first, "Payment"));
});

scenario("the bank is away: its diagnosis says so, and a payment fails by name", async () => {
  await stage("host", "off");
  try {
    const m = member(await sealed()(message("Diagnosis", { HostDiagnosisFlag: true })), "Diagnosis");
    assert.deepEqual(m.HostStatus.map((h) => h.IsReachableFlag), [false]);
    const none = member(await sealed()(payment(7.012)), "Payment");
    assert.equal(says(none), "Failure/UnreachableHost");
  } finally {
    await stage("host", "on");
  }
  await until("the bank is back", async () => {
    const back = member(await sealed()(message("Diagnosis", { HostDiagnosisFlag: true })), "Diagnosis");
    return back.HostStatus[0].IsReachableFlag;
  });
});

scenario("totals, reconciliation, and the one before", async () => {
  const totals = member(await sealed()(message("GetTotals", {})), "GetTotals");
  assert.equal(says(totals), "Success");
  const sum = (t, type) => t.flatMap((b) => b.PaymentTotals).filter((p) => p.TransactionType === type).reduce((n, p) => n + Math.round(p.TransactionAmount * 1000), 0);
  const debit = sum(totals.TransactionTotals, "Debit");
  assert.ok(debit > 0);
  assert.equal(says(member(await sealed()(message("Reconciliation", { ReconciliationType: "SaleReconciliation" })), "Reconciliation")), "Failure/NotAllowed");
  const service = serviceID();
  const ask = () => clear(given.trusted)(message("Reconciliation", { ReconciliationType: "SaleReconciliation" }, { service }));
  const m = member(await ask(), "Reconciliation");
  assert.equal(says(m), "Success");
  assert.equal(m.POIReconciliationID, totals.POIReconciliationID);
  assert.deepEqual(m.TransactionTotals, totals.TransactionTotals);
  const again = member(await ask(), "Reconciliation");
  assert.deepEqual(again, m);
  const before = member(await sealed()(message("Reconciliation", { ReconciliationType: "PreviousReconciliation", POIReconciliationID: m.POIReconciliationID })), "Reconciliation");
  assert.deepEqual(before.TransactionTotals, m.TransactionTotals);
  const open = member(await sealed()(message("GetTotals", {})), "GetTotals");
  assert.equal(open.TransactionTotals, undefined);
  assert.notEqual(open.POIReconciliationID, m.POIReconciliationID);
});

scenario("a sale of a settled batch is taken back by a refund", async () => {
  const sales = await stage("sales");
  const old = sales.find((s) => s.kind === "sale" && s.state === "Approved" && s.amount.minor === 4500);
  const m = member(await sealed()(message("Reversal", { OriginalPOITransaction: { POITransactionID: { TransactionID: String(old.id), TimeStamp: new Date(0) } }, ReversalReason: "CustCancel" })), "Reversal");
  await stage("settled");
  assert.equal(says(m), "Success");
  assert.equal((await saleOf(m)).kind, "refund");
});

scenario("keys rotate, and what is wrong with an envelope is told by name", async () => {
  const refused = async (send, why) => {
    await assert.rejects(send(payment(1)), (e) => {
      assert.match(String(e.message ?? e) + String(e.responseBody ?? ""), why);
      return true;
    });
  };
  await refused(sealed(1, "another passphrase altogether"), /Hmac does not match/);
  await refused(sealed(2, given.phrase), /unknown KeyVersion/);
  await refused(clear("no token"), /token in X-API-Key/);
  await refused(async (m) => new TerminalLocalAPI(client("any")).request(m, { ...key(1, given.phrase), KeyIdentifier: "till-9" }), /unknown KeyIdentifier/);
  await stage("pos", "login", "amal"); // the terminal was started anew
  const made = JSON.parse((await stage("pos", "ecr", "nexo-key", "till-1", "--json")).printed);
  assert.equal(made.key_version, 2);
  assert.equal(says(await pays(sealed(1), 1)), "Success");
  assert.equal(says(await pays(sealed(2, made.passphrase), 1.5)), "Success");
  await stage("pos", "ecr", "nexo-key", "till-1", "--retire", "1");
  await refused(sealed(1), /was retired/);
  assert.equal(says(await pays(sealed(2, made.passphrase), 1.75)), "Success");
});

for (const { name, play } of scenarios) {
  const line = { scenario: name };
  try {
    await play();
    line.done = true;
  } catch (e) {
    line.error = String(e.stack ?? e);
    await card().catch(() => {});
    await stage("settled").catch(() => {});
  }
  console.log(JSON.stringify(line));
}
console.log(JSON.stringify({ done: true }));
