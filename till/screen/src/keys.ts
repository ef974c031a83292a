// Keys. What is on the screen takes them, the newest first; a field or a dialog that has the focus keeps its own.

import { Component } from "preact";

import { latinDigit } from "./money.ts";
import { shortcuts } from "./settings.ts";
import { unlock } from "./sound.ts";

/** A key as it is meant: a digit of any script, a letter of the Latin keyboard whatever its layout, or its name. */
export type Handler = (key: string) => boolean;

const handlers: Handler[] = [];

/** keyOf names a key: "0" to "9", "A" to "Z", "Enter", "Escape", "Backspace", …; "" for what is none of ours. */
export function keyOf(e: { key: string; code: string }): string {
  const digit = latinDigit(e.key);
  if (digit) return digit;
  const letter = /^Key([A-Z])$/.exec(e.code);
  if (letter) return letter[1]!;
  return e.key;
}

/** Keys gives keys to a handler while it is on the screen. */
export class Keys extends Component<{ to: Handler }> {
  take: Handler = (key) => this.props.to(key);
  override componentDidMount(): void {
    handlers.push(this.take);
  }
  override componentWillUnmount(): void {
    handlers.splice(handlers.indexOf(this.take), 1);
  }
  render(): null {
    return null;
  }
}

/** listen begins to take keys. */
export function listen(): void {
  addEventListener("pointerdown", unlock);
  // What was pressed by mouse or finger does not keep the focus: Enter stays the main button's.
  addEventListener("click", (e) => {
    const on = document.activeElement;
    if ((e as PointerEvent).pointerType && on instanceof HTMLElement && on.matches("button, a") && !on.closest("dialog")) on.blur();
  });
  addEventListener("keydown", (e) => {
    unlock();
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    const on = e.target instanceof HTMLElement ? e.target : null;
    if (on?.closest("input, select, textarea")) {
      if (e.key === "Escape") on.blur();
      return;
    }
    if ((e.key === "Enter" || e.key === " ") && on?.closest("button, a, summary")) return;
    if (e.repeat && e.key !== "Backspace") return; // a key that is held is pressed once
    const key = keyOf(e);
    if (/^[A-Z]$/.test(key) && !shortcuts.value) return;
    for (const h of [...handlers].reverse()) {
      if (h(key)) {
        e.preventDefault();
        return;
      }
    }
  });
}
