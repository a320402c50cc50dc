/**
 * Bytes as text for a JavaScript string: one character for most, two for the rest.
 *
 * Hexadecimal and base64 split bytes, or shift them, so that a compressor no longer sees what repeats: of the module they cost 9 and 30
 * percent after brotli. Here a byte is a digit of 89, behind one of two marks if it is greater; the bytes are turned first, so that the
 * frequent ones are small. Characters are those from "#" to "~" without the backslash: what any minifier leaves as it is.
 */

import { brotliCompressSync, gzipSync } from "node:zlib";

/** The first two characters are marks, the others digits. */
const DIGITS = 89;
const character = (index) => String.fromCharCode(35 + index + (index > 56 ? 1 : 0));

function turned(bytes, turn) {
  let text = "";
  for (const byte of bytes) {
    const value = (byte + turn) & 255;
    const mark = Math.floor(value / DIGITS);
    if (mark) text += character(mark - 1);
    text += character(2 + (value % DIGITS));
  }
  return text;
}

/**
 * The text that compresses best behind `code`, and what a reader adds: `byte = digit's code (less 1 behind "[") + turn (+ 89 or 178)`, modulo 256.
 */
export function asText(bytes, code) {
  const texts = Array.from({ length: 256 }, (_, turn) => {
    const text = turned(bytes, turn);
    return { text, turn: -37 - turn, size: gzipSync(code + text, { level: 9 }).length };
  });
  // To try them all with brotli as well would take seconds.
  texts.sort((one, other) => one.size - other.size).splice(64);
  // Brotli counts double: it is what servers use for files.
  for (const text of texts) text.size += 2 * brotliCompressSync(code + text.text).length;
  return texts.sort((one, other) => one.size - other.size)[0];
}
