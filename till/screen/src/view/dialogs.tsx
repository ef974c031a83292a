// Questions to a person, each in a dialog that keeps the focus: log-in, a supervisor's yes, are you sure, a paper.

import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";

import { ask, askText } from "../api.ts";
import { either, language, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { question, status } from "../store.ts";
import type { Question } from "../store.ts";
import type { Problem } from "../types.ts";
import { Button } from "./parts.tsx";
import * as w from "../words.ts";

function Modal({ title, close, children, wide }: { title: string; close: () => void; children: ComponentChildren; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const d = ref.current!;
    if (!d.open) d.showModal();
    return () => d.close();
  }, []);
  return (
    <dialog
      ref={ref} class={wide ? "wide" : ""} aria-label={title}
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

/** Secrets asks for a name and a secret; the secret is kept nowhere but in its field. */
function Secrets({ who, button, send, close }: { who: Word; button: Word; send: (name: string, secret: string) => Promise<Problem | "lost" | null>; close?: () => void }) {
  const [problem, setProblem] = useState<Problem | "lost" | null>(null);
  const [busy, setBusy] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const submit = async (ev: Event) => {
    ev.preventDefault();
    if (busy) return;
    const form = ev.currentTarget as HTMLFormElement;
    const values = new FormData(form);
    setBusy(true);
    setProblem(null);
    const p = await send(String(values.get("name")).trim(), String(values.get("secret")));
    setBusy(false);
    if (p === null) return;
    setProblem(p);
    const secret = form.elements.namedItem("secret") as HTMLInputElement;
    secret.value = "";
    secret.focus();
  };
  return (
    <form class="secrets" onSubmit={(ev) => void submit(ev)}>
      <label>
        <span>{t(who)}</span>
        <input ref={first} name="name" type="text" required autocomplete="off" autocapitalize="none" spellcheck={false} dir="ltr" maxLength={64} />
      </label>
      <label>
        <span>{t(w.secret)}</span>
        <input name="secret" type="password" required autocomplete="off" dir="ltr" maxLength={128} />
      </label>
      <p role="alert" class="problem-line">{problem === "lost" ? t(w.notNow) : problem && <ProblemText of={problem} />}</p>
      <div class="choices">
        <button type="submit" class="primary" disabled={busy}>{t(button)}</button>
        {close && <Button word={w.close} press={close} />}
      </div>
    </form>
  );
}

async function sendLogIn(name: string, secret: string): Promise<Problem | "lost" | null> {
  const a = await ask("/v1/login", { method: "POST", body: { name, secret } });
  return a.kind === "done" ? null : a.kind === "problem" ? a.problem : "lost";
}

/** LogInForm stands on its own where nobody has logged in, and in a dialog where a request needs it. */
export function LogInForm({ done, close }: { done: () => void; close?: () => void }) {
  return (
    <Secrets
      who={w.name} button={w.logIn} {...(close && { close })}
      send={async (name, secret) => {
        const p = await sendLogIn(name, secret);
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
          return a.kind === "done" ? null : a.kind === "problem" ? a.problem : "lost";
        }}
      />
    </Modal>
  );
}

function Sure({ q }: { q: Extract<Question, { what: "sure" }> }) {
  const [note, setNote] = useState("");
  return (
    <Modal title={q.title} close={() => q.answer(null)}>
      <p>{q.text}</p>
      <form
        class="secrets"
        onSubmit={(ev) => {
          ev.preventDefault();
          q.answer(note.trim());
        }}
      >
        {q.note && (
          <label>
            <span>{t(w.noteLabel)}</span>
            <input type="text" required maxLength={200} dir="auto" value={note} onInput={(ev) => setNote(ev.currentTarget.value)} />
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
function Paper({ q }: { q: Extract<Question, { what: "paper" }> }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<Problem | "lost" | null>(null);
  const [pictured, setPictured] = useState(true);
  const path = `${q.path}&lang=${language.value}`;
  useEffect(() => {
    void askText(path + "&format=text").then((a) => {
      if (a.kind === "done") setText(a.data);
      else setProblem(a.kind === "problem" ? a.problem : "lost");
    });
  }, [path]);
  const body = problem ? (
    <p role="alert" class="problem-line">{problem === "lost" ? t(w.notNow) : <ProblemText of={problem} />}</p>
  ) : (
    <div class="paper">
      {pictured && <img src={path + "&format=png"} alt="" onError={() => setPictured(false)} />}
      <pre dir="auto" class={pictured ? "unseen" : ""} tabIndex={0}>{text}</pre>
    </div>
  );
  return (
    <Modal title={q.title} close={() => q.answer()} wide>
      {body}
      <div class="choices">
        <Button look="primary" word={w.close} press={() => q.answer()} />
        {q.print && <Button word={w.print} press={q.print} />}
        {!problem && <Button word={w.printThis} press={() => print()} />}
      </div>
    </Modal>
  );
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
