/** How times and sizes look. Times arrive as decimal strings because they exceed 2^53. */

/** The difference of two timestamps in nanoseconds, as a number (exact up to 104 days). */
export function nanosBetween(from, to) {
  return Number(BigInt(to) - BigInt(from));
}

/** A length of time in the unit that needs the fewest digits. */
export function duration(nanos) {
  const sign = nanos < 0 ? "−" : "";
  const size = Math.abs(nanos);
  if (size < 1e3) return `${sign}${Math.round(size)} ns`;
  if (size < 1e6) return `${sign}${threeDigits(size / 1e3)} µs`;
  if (size < 1e9) return `${sign}${threeDigits(size / 1e6)} ms`;
  if (size < 60e9) return `${sign}${threeDigits(size / 1e9)} s`;
  const seconds = Math.round(size / 1e9);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${sign}${hours} h ${minutes} min` : `${sign}${minutes} min ${seconds % 60} s`;
}

function threeDigits(value) {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : String(Math.round(value));
}

const timeOfDay = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
});
const dayOnly = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

/** The time of day of a timestamp, local to the reader. */
export function clock(unixNano) {
  return timeOfDay.format(new Date(Number(BigInt(unixNano) / 1000000n)));
}

/** The day of a timestamp; empty when it is today. */
export function day(unixNano) {
  const date = new Date(Number(BigInt(unixNano) / 1000000n));
  return date.toDateString() === new Date().toDateString() ? "" : dayOnly.format(date);
}

/** Day and time to the microsecond, for a detail view. */
export function fullTime(unixNano) {
  const nanos = BigInt(unixNano);
  const date = new Date(Number(nanos / 1000000n));
  const micros = String(nanos % 1000000n / 1000n).padStart(3, "0");
  return `${dayOnly.format(date)}, ${timeOfDay.format(date)}${micros}`;
}

/** A whole number with its thousands apart. */
export function count(value) {
  return new Intl.NumberFormat().format(value);
}

/** "1 span", "2 spans". */
export function plural(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A size in bytes. */
export function bytes(value) {
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${threeDigits(value / 1024)} KiB`;
  return `${threeDigits(value / 1024 / 1024)} MiB`;
}
