// How a payment ended: what happened, what to do, and whether this card may be tried again.

import { While } from "../draw.ts";
import { either, t } from "../i18n.ts";
import { Keys } from "../keys.ts";
import { play, speak } from "../sound.ts";
import { go, model, paper, post, printer, seen, snapshot } from "../store.ts";
import { partial, taken } from "../types.ts";
import type { Sale } from "../types.ts";
import { again, beginWith, digit } from "./entry.tsx";
import { Icon } from "./icons.tsx";
import { Button, Fact, Latin, Money, masked, numerals, toneIcon, verdict, when } from "./parts.tsx";
import * as w from "../words.ts";

/** printCopy prints a receipt again, or shows it where there is no printer. */
export async function printCopy(sale: Sale, copy: "customer" | "merchant"): Promise<void> {
  if (printer.value) await post("/v1/printer/print", { what: "receipt", sale: sale.id, copy }, "receipt", "", w.printed);
  else showCopy(sale, copy);
}

export function showCopy(sale: Sale, copy: "customer" | "merchant"): void {
  const last = model.value.shown?.id === sale.id && snapshot.value?.last?.id === sale.id ? "&original=true" : "";
  void paper(t(copy === "customer" ? w.customerCopy : w.merchantCopy), `/v1/sales/${String(sale.id)}/receipt?copy=${copy}${last}`, printer.value ? () => void printCopy(sale, copy) : undefined);
}

/** worth is the amount that an outcome is about: of a balance inquiry the balance. */
const worth = (s: Sale) => (s.kind === "balance" ? s.balance : taken(s));

export function OutcomeView() {
  const sale = model.value.shown!;
  const v = verdict(sale);
  const o = sale.outcome;
  const retry = o?.may_retry && sale.state !== "Approved";
  const begin = () => {
    play(v.tone === "good" ? "good" : v.tone === "careful" ? "ask" : "bad");
    speak(sale.state === "Approved" ? t(w.spokenApproved) : sale.state === "Declined" ? t(w.spokenDeclined) : t(v.word));
  };
  const onKey = (key: string) => {
    if (/^\d$/.test(key)) digit(key);
    else if (key === "Enter" || key === "Escape") seen();
    else if (key === "A" && retry) again(sale);
    else if (key === "P") void printCopy(sale, "customer");
    else return false;
    return true;
  };
  const amount = worth(sale);
  return (
    <section class={"outcome " + v.tone} aria-label={t(v.word)}>
      <Keys to={onKey} />
      <While is={[sale.id]} run={begin} />
      <div class="verdict" role="alert">
        <span class="verdict-icon">
          <Icon name={toneIcon[v.tone]} />
        </span>
        {sale.training && <strong>{t(w.trainingFrame)}</strong>}
        <h1>{t(v.word)}</h1>
        {amount && <Money of={amount} class="huge" />}
        {!(o?.code === "approved" && sale.kind === "sale" && v.word === w.approved) && <p class="happened">{either(o?.happened, o?.happened_ar)}</p>}
        <p class="do">{either(o?.do, o?.do_ar)}</p>
        {sale.state !== "Approved" && o && sale.kind !== "void" && <p class={"retry" + (o.may_retry ? "" : " never")}>{t(o.may_retry ? w.retryYes : w.retryNo)}</p>}
      </div>
      <dl class="facts">
        <Fact name={w.number}>
          <bdi>{numerals(sale.id)}</bdi>
        </Fact>
        {partial(sale) && (
          <Fact name={w.stillToPay}>
            <Money of={{ minor: sale.amount.minor - taken(sale).minor, currency: sale.amount.currency }} />
          </Fact>
        )}
        {sale.pan && (
          <Fact name={w.stepCard}>
            <Latin>{(sale.label ? sale.label + " " : "") + masked(sale.pan)}</Latin>
          </Fact>
        )}
        {sale.auth && (
          <Fact name={w.authCode}>
            <Latin>{sale.auth}</Latin>
          </Fact>
        )}
        {sale.rrn && (
          <Fact name={w.rrn}>
            <Latin>{sale.rrn}</Latin>
          </Fact>
        )}
        <Fact name={w.time}>
          <Latin>{when(sale.updated)}</Latin>
        </Fact>
      </dl>
      <div class="choices">
        <Button look="primary" word={w.nextSale} letter="⏎" press={seen} />
        {retry && (
          <Button word={w.tryAgain} letter="A" press={() => again(sale)} />
        )}
        <Button word={w.receipt} letter="P" press={() => void printCopy(sale, "customer")} />
        {sale.state === "Approved" && sale.kind === "sale" && (
          <Button look="plain" word={w.voids} press={() => beginWith("void", sale)} />
        )}
        <Button look="plain" word={w.look} press={() => go("sales", sale.id)} />
      </div>
    </section>
  );
}

/** CardLeft says, aloud too, that the card is still in the reader, until it is out. */
export function CardLeft() {
  const left = snapshot.value?.card_left === true;
  const remind = () => {
    if (!left) return undefined;
    play("card");
    speak(t(w.spokenRemove));
    const beat = setInterval(() => play("card"), 2000);
    return () => clearInterval(beat);
  };
  return (
    <div class="card-left-place" role="alert">
      <While is={[left]} run={remind} />
      {left && (
        <p class="card-left">
          <Icon name="eject" />
          <strong>{t(w.removeCard)}</strong> <span>{t(w.cardLeft)}</span>
        </p>
      )}
    </div>
  );
}
