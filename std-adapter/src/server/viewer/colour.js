/** One colour per service. */

import { getJson } from "/api.js";

/** Hue and shade of colours that stay apart in both themes, none near the red of errors; the second row is for the rest. */
const PALETTE = [
  [262, 0], [155, 0], [72, 1], [325, 0], [212, 1], [115, 1], [294, -1], [46, 0],
  [235, -2], [180, -2], [90, -2], [342, 2], [190, 2], [135, 2], [305, 2], [260, 2],
];
/** As many as are told apart at a glance. */
const FIRST_ROW = 8;

const assigned = new Map();

/**
 * The CSS variables of a service's colour. A name prefers the colour of its hash, and takes another only when a service
 * that was met before has that one. With more services than colours, colours are shared.
 */
export function serviceColour(name) {
  let slot = assigned.get(name);
  if (slot === undefined) {
    const taken = new Set(assigned.values());
    const preferred = hash(name) % FIRST_ROW;
    const free = [...PALETTE.keys()].filter((other) => !taken.has(other));
    // Every slot once, from the preferred one on, the first row before the second.
    const order = (other) => (other < FIRST_ROW ? 0 : FIRST_ROW) + (other - preferred + PALETTE.length) % FIRST_ROW;
    slot = free.length ? free.reduce((best, other) => (order(other) < order(best) ? other : best)) : hash(name) % PALETTE.length;
    assigned.set(name, slot);
  }
  return { "--hue": PALETTE[slot][0], "--tier": PALETTE[slot][1] };
}

/** Meets the services in the order of their names, so that every page that is opened gives them the same colours. */
export async function meetServices() {
  try {
    for (const { name } of (await getJson("/api/services")).services) serviceColour(name);
  } catch {
    // Then they are met as they come.
  }
}

/** FNV-1a, mixed once more because the low bits are used. */
function hash(name) {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return (value ^ value >>> 15) >>> 0;
}
