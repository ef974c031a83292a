// How a page follows what it shows: all of it is drawn anew, once, after any signal has changed that the last drawing read. Preact
// finds out what is different; the pages are small enough for that, and need no hooks and no bindings of single components.

import { effect, untracked } from "@preact/signals-core";
import { Component, render } from "preact";
import type { ComponentChild } from "preact";

/** draw keeps the page as view says. A drawing that fails is reported, and the next change is drawn all the same. */
export function draw(view: () => ComponentChild): void {
  let drawn = false;
  const stop = effect(() => {
    if (drawn) {
      // Nothing is read here, so that the changes until then ask for no second drawing.
      queueMicrotask(() => {
        stop();
        draw(view);
      });
      return;
    }
    drawn = true;
    try {
      render(view(), document.getElementById("app")!);
    } catch (e) {
      reportError(e);
    }
  });
}

/** While does something as long as it is on the screen, and again whenever one of the values has changed; what run gives ends it. */
export class While extends Component<{ is: readonly unknown[]; run: () => (() => void) | void }> {
  end: (() => void) | void = undefined;
  override componentDidMount(): void {
    this.end = untracked(this.props.run);
  }
  override componentDidUpdate(was: { is: readonly unknown[] }): void {
    if (was.is.every((v, i) => v === this.props.is[i])) return;
    this.end?.();
    this.componentDidMount();
  }
  override componentWillUnmount(): void {
    this.end?.();
  }
  render(): null {
    return null;
  }
}
