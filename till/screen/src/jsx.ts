// What the bundler makes of an element: Preact's own h, without the second runtime that the newer transform would bring.

export { Fragment, h } from "preact";
