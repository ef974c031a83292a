export const en = {
  charge: "Charge",
  connecting: "Connecting to the terminal…",
  lost: "No connection to the terminal. Nothing can be ordered until it is back.",
} as const;
