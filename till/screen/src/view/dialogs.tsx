// Questions to a person, each in a dialog that keeps the focus: log-in, a supervisor's yes, are you sure, a paper.

import { signal } from "@preact/signals-core";
import { Component, createRef } from "preact";
import type { ComponentChildren } from "preact";

import { ask, askText } from "../api.ts";
import type { Answer } from "../api.ts";
import { While } from "../draw.ts";
import { either, language, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { question, status } from "../store.ts";
import type { Question } from "../store.ts";
import type { Problem } from "../types.ts";
import { Button } from "./parts.tsx";
import * as w from "../words.ts";

class Modal extends Component<{ title: string; close: () => void; children: ComponentChildren; wide?: boolean }> {
  dialog = createRef<HTMLDialogElement>();
  override componentDidMount(): void {
    this.dialog.current!.showModal();
  }
  override componentWillUnmount(): void {
    this.dialog.current!.close(); // gives the focus back
  }
  render() {
    const { title, close, children, wide } = this.props;
    return (
      <dialog
        ref={this.dialog} class={wide ? "wide" : ""} aria-label={title}
        onCancel={(e) => {
          e.preventDefault();
          close();
        }}
      >
        <h2>{title}</h2>
        {children}
      </dialog>
    );
  }
}

export function ProblemText({ of: p }: { of: Problem }) {
  const title = either(p.title, p.title_ar);
  const detail = either(p.detail, p.detail_ar);
  return (
    <>
      <strong dir="auto">{title}</strong>
      <span dir="auto" class="problem-do">{either(p.do, p.do_ar)}</span>
      {detail.toLowerCase() !== title.toLowerCase() && <small dir="auto">{detail}</small>}
    </>
  );
}

type Failure = Problem | "lost" | null;

const FailureText = ({ of }: { of: Failure }) => <p role="alert" class="problem-line">{of === "lost" ? t(w.notNow) : of && <ProblemText of={of} />}</p>;

const failure = (a: Answer<unknown>): Failure => (a.kind === "done" ? null : a.kind === "problem" ? a.problem : "lost");

/** Secrets asks for a name and a secret; the secret is kept nowhere but in its field. */
class Secrets extends Component<{ who: Word; button: Word; send: (name: string, secret: string) => Promise<Failure>; close?: () => void }> {
  problem = signal<Failure>(null);
  busy = signal(false);
  form = createRef<HTMLFormElement>();
  field(name: string): HTMLInputElement {
    return this.form.current!.elements.namedItem(name) as HTMLInputElement;
  }
  override componentDidMount(): void {
    this.field("name").focus();
  }
  async submit(ev: Event): Promise<void> {
    ev.preventDefault();
    if (this.busy.value) return;
    this.busy.value = true;
    this.problem.value = null;
    const p = await this.props.send(this.field("name").value.trim(), this.field("secret").value);
    this.busy.value = false;
    if (p === null || !this.form.current) return;
    this.problem.value = p;
    const secret = this.field("secret");
    secret.value = "";
    secret.focus();
  }
  render() {
    const { who, button, close } = this.props;
    return (
      <form class="secrets" ref={this.form} onSubmit={(ev) => void this.submit(ev)}>
        <label>
          <span>{t(who)}</span>
          <input name="name" type="text" required autocomplete="off" autocapitalize="none" spellcheck={false} dir="ltr" maxLength={64} />
        </label>
        <label>
          <span>{t(w.secret)}</span>
          <input name="secret" type="password" required autocomplete="off" dir="ltr" maxLength={128} />
        </label>
        <FailureText of={this.problem.value} />
        <div class="choices">
          <button type="submit" class="primary" disabled={this.busy.value}>{t(button)}</button>
          {close && <Button word={w.close} press={close} />}
        </div>
      </form>
    );
  }
}

/** LogInForm stands on its own where nobody has logged in, and in a dialog where a request needs it. */
export function LogInForm({ done, close }: { done: () => void; close?: () => void }) {
  return (
    <Secrets
      who={w.name} button={w.logIn} {...(close && { close })}
      send={async (name, secret) => {
        const p = failure(await ask("/v1/login", { method: "POST", body: { name, secret } }));
        if (p === null) done();
        return p;
      }}
    />
  );
}

function Override({ q }: { q: Extract<Question, { what: "override" }> }) {
  return (
    <Modal title={t(w.override)} close={() => q.answer(null)}>
      <p>{t(w.overrideText, { what: q.words })}</p>
      <Secrets
        who={w.supervisor} button={w.overrideDo} close={() => q.answer(null)}
        send={async (name, secret) => {
          const a = await ask<{ override: string }>("/v1/override", { method: "POST", body: { name, secret, action: q.action } });
          if (a.kind === "done") q.answer(a.data.override);
          return failure(a);
        }}
      />
    </Modal>
  );
}

function Sure({ q }: { q: Extract<Question, { what: "sure" }> }) {
  return (
    <Modal title={q.title} close={() => q.answer(null)}>
      <p>{q.text}</p>
      <form
        class="secrets"
        onSubmit={(ev) => {
          ev.preventDefault();
          q.answer(String(new FormData(ev.currentTarget).get("note") ?? "").trim());
        }}
      >
        {q.note && (
          <label>
            <span>{t(w.noteLabel)}</span>
            <input name="note" type="text" required maxLength={200} dir="auto" />
          </label>
        )}
        <div class="choices">
          <button type="submit" class="primary">{q.yes}</button>
          <Button word={w.no} press={() => q.answer(null)} />
        </div>
      </form>
    </Modal>
  );
}

/** Paper shows a receipt or a report as it comes out of the printer, and its text to who cannot see it. */
class Paper extends Component<{ q: Extract<Question, { what: "paper" }> }> {
  text = signal("");
  problem = signal<Failure>(null);
  pictured = signal(true);
  render() {
    const q = this.props.q;
    const path = `${q.path}&lang=${language.value}`;
    const load = () => {
      void askText(path + "&format=text").then((a) => {
        if (a.kind === "done") this.text.value = a.data;
        else this.problem.value = failure(a);
      });
    };
    const problem = this.problem.value;
    const pictured = this.pictured.value;
    return (
      <Modal title={q.title} close={() => q.answer()} wide>
        <While is={[path]} run={load} />
        {problem ? (
          <FailureText of={problem} />
        ) : (
          <div class="paper">
            {pictured && <img src={path + "&format=png"} alt="" onError={() => (this.pictured.value = false)} />}
            <pre dir="auto" class={pictured ? "unseen" : ""} tabIndex={0}>{this.text.value}</pre>
          </div>
        )}
        <div class="choices">
          <Button look="primary" word={w.close} press={() => q.answer()} />
          {q.print && <Button word={w.print} press={q.print} />}
          {!problem && <Button word={w.printThis} press={() => print()} />}
        </div>
      </Modal>
    );
  }
}

export function Dialogs() {
  const q = question.value;
  switch (q?.what) {
    case "login":
      return (
        <Modal title={t(w.logInAgain)} close={() => q.answer(false)}>
          <LogInForm done={() => q.answer(true)} close={() => q.answer(false)} />
        </Modal>
      );
    case "override":
      return <Override q={q} />;
    case "sure":
      return <Sure q={q} />;
    case "paper":
      return <Paper q={q} />;
    default:
      return null;
  }
}

/** Whose till this is, above the log-in. */
export const shopName = (): string => status.value?.terminal.merchant ?? "Tillway";
