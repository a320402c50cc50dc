/**
 * Bytes as text for a JavaScript string: one character for most, two for the rest.
 *
 * Hexadecimal and base64 split bytes, or shift them, so that a compressor no longer sees what repeats: of the module they cost 9 and 30
 * percent after brotli. Here a byte is a digit, behind one of two marks if it is greater than there are digits; the bytes are turned first,
 * so that the frequent ones are small. Characters are those from "#" to "~": what any minifier leaves as it is, but for the backslash,
 * which is no frequent digit.
 */

import { brotliCompressSync, gzipSync } from "node:zlib";

/** The first two characters are marks, the others digits; two marks are enough for as many digits as these. */
const DIGITS = [86, 87, 88, 89, 90];
const character = (index) => String.fromCharCode(35 + index);
/** Only small turns leave the frequent bytes, which are small too, without a mark. */
const TURNS = 16;

function turned(bytes, digits, turn) {
  let text = "";
  for (const byte of bytes) {
    const value = (byte + turn) & 255;
    const mark = Math.floor(value / digits);
    if (mark) text += character(mark - 1);
    text += character(2 + (value % digits));
  }
  return text;
}

/**
 * The text that compresses best, by gzip and brotli in the proportion of what we promise of them, within `code(text, digits, turn)`, and with which `digits` and `turn` it is read:
 * `byte = code of the digit + turn`, and with a mark `+ digits * (code of the mark - 34)`, modulo 256.
 */
export async function asText(bytes, code) {
  let best = { size: Infinity };
  for (const digits of DIGITS) {
    for (let index = 0; index < TURNS; index++) {
      const found = { text: turned(bytes, digits, index), digits, turn: -37 - index };
      const whole = await code(found);
      const size = Math.max((gzipSync(whole, { level: 9 }).length * 8) / 9, brotliCompressSync(whole).length);
      if (size < best.size) best = { ...found, size };
    }
  }
  return best;
}
