// Icons, drawn as lines. They are never alone: a word stands beside each.

const paths = {
  sell: "M3 7h18v10H3zM3 11h18M7 15h3",
  sales: "M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6",
  queue: "M4 12a8 8 0 1 1 3 6M4 20v-4h4M12 8v4l3 2",
  reports: "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6",
  more: "M4 7h16M4 12h16M4 17h16",
  card: "M3 6h18v12H3zM3 10h18",
  reader: "M5 9h14v11H5zM9 9V4h6v5M9 15h6",
  host: "M4 10l8-6 8 6zM6 10v8M10 10v8M14 10v8M18 10v8M4 20h16",
  printer: "M7 9V3h10v6M5 9h14v8h-2v4H7v-4H5zM9 17h6",
  batch: "M4 5h16v14H4zM4 9h16M8 13h3",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 4-6 8-6s8 2 8 6",
  school: "M2 9l10-5 10 5-10 5zM6 11v5c3 3 9 3 12 0v-5",
  yes: "M4 13l5 5L20 6",
  no: "M6 6l12 12M18 6L6 18",
  back: "M20 6H9l-6 6 6 6h11zM12 10l4 4M16 10l-4 4",
  undo: "M9 6L4 11l5 5M4 11h10a6 6 0 0 1 0 12",
  wait: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 3",
  warn: "M12 3L2 20h20zM12 10v4M12 17h.01",
  eject: "M6 13l6-8 6 8zM6 18h12",
  sign: "M3 19h18M4 15c4-9 6-9 6-5s2 4 4 1 2 1 5 1",
  lock: "M6 11h12v10H6zM8 11V8a4 4 0 0 1 8 0v3",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
