/**
 * A store for requests that outlives the page: IndexedDB. What is put in the moment in which a page is left stands in localStorage until
 * the next look, and so does what was put so shortly before that its transaction is not done: of that, browsers lose nothing, while every
 * tenth transaction of such a moment is lost with the page.
 */

const STORE = "requests";

/** Opens the database; `undefined` where there is none, as in a sandboxed frame. */
function open(name) {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(undefined);
    } catch {
      resolve(undefined);
    }
  });
}

/** The answer of one request to the database. */
const answer = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Until a transaction is done. */
const finished = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = reject;
  });

/** `undefined` in a worker, and where it is forbidden to ask. */
function early() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

/** localStorage takes texts: a character for each byte. */
function asText({ bytes, ...others }) {
  let text = bytes && "";
  // A page that is left has not much time: this is the quickest way.
  for (const byte of bytes ?? "") text += String.fromCharCode(byte);
  return JSON.stringify({ ...others, text });
}

/** `undefined` for what nobody of us wrote. */
function fromText(line) {
  try {
    const { text, ...others } = JSON.parse(line);
    return { ...others, bytes: text && Uint8Array.from(text, (character) => character.charCodeAt()) };
  } catch {
    return undefined;
  }
}

/** Opens the store of this name. It holds records, `{ bytes, spans, endpoint }`, by the keys of `newKey`. */
export function openStore(name) {
  const prefix = `${name} request `;
  let database;
  let isOpening = true;
  let last = 0;
  /** Records by keys: those whose transactions are not done; and empty ones for those that are being removed. */
  const undone = new Map();
  let isLeft = false;

  const objects = (mode) => database.transaction(STORE, mode).objectStore(STORE);

  /** Writes records to localStorage; false if there is no room, or none at all. */
  function putEarly(entries) {
    const local = early();
    try {
      for (const [key, record] of entries) local.setItem(prefix + key, asText(record));
      for (const [key] of entries) undone.delete(key);
      return true;
    } catch {
      for (const [key] of entries) local?.removeItem(prefix + key);
      return false;
    }
  }

  const ready = open(name).then((found) => {
    isOpening = false;
    database = found;
    if (!database) return;
    // For whoever deletes the database, or for a later version of it.
    database.onversionchange = database.onclose = () => {
      database?.close();
      database = undefined;
    };
  });

  const store = {
    /** Resolves when it is known whether there is a database. */
    ready,

    /** Whether records can be kept; they may still be lost, which is told. */
    isUsable: () => isOpening || database !== undefined,

    /** Whether records can be read. */
    isOpen: () => database !== undefined,

    /** A key: its time, so that the oldest come first; and different in every page. */
    newKey: () => (last = Math.max(last + 0.001, Date.now() + Math.random())),

    /** Keeps `[key, record]`s, in one transaction. False if that is impossible; `lost` is called if it turns out to be. */
    put(entries, lost) {
      if (!database) return isOpening && store.putNow(entries);
      try {
        const all = objects("readwrite");
        // Not those that are elsewhere meanwhile.
        const settle = () => entries.filter(([key]) => undone.delete(key)).length;
        all.transaction.oncomplete = settle;
        all.transaction.onabort = () => settle() && lost();
        for (const [key, record] of entries) all.put(record, key);
        all.transaction.commit?.();
        for (const [key, record] of entries) undone.set(key, record);
        return true;
      } catch {
        // It was closed meanwhile.
        return false;
      }
    },

    /** The same for a page that may be gone in a moment. */
    putNow(entries, lost) {
      return store.isUsable() && (putEarly(entries) || (database !== undefined && store.put(entries, lost)));
    },

    /** The page is left: sees to it that what `put` and `remove` do just now is not lost with it, nor what it removes from here on. */
    secure() {
      isLeft = true;
      putEarly([...undone]);
    },

    /** Whether what `putNow` kept is where only this page has put its hand on it. */
    isUntouched: (key) => early()?.getItem(prefix + key) != null,

    /** Forgets a record. */
    async remove(key) {
      undone.delete(key);
      early()?.removeItem(prefix + key);
      if (!database) return;
      const all = objects("readwrite");
      all.delete(key);
      undone.set(key, {});
      if (isLeft) store.secure();
      await finished(all.transaction);
      undone.delete(key);
    },

    /** Moves what pages left in localStorage into the database. For one page at a time. */
    async gather() {
      isLeft = false;
      const local = early();
      const names = Object.keys(local ?? {}).filter((name) => name.startsWith(prefix));
      if (!names.length) return;
      const all = objects("readwrite");
      for (const name of names) {
        const record = fromText(local.getItem(name));
        const key = Number(name.slice(prefix.length));
        if (!key || !record) continue;
        if (record.spans) all.put(record, key);
        else all.delete(key);
      }
      await finished(all.transaction);
      for (const name of names) local.removeItem(name);
    },

    /** The oldest record that `accepts(record, key)`, as `{ key, record }`; `undefined` if there is none. */
    oldest: (accepts) =>
      new Promise((resolve, reject) => {
        const cursors = objects("readonly").openCursor();
        cursors.onerror = () => reject(cursors.error);
        cursors.onsuccess = () => {
          const cursor = cursors.result;
          if (!cursor) resolve(undefined);
          else if (accepts(cursor.value, cursor.key)) resolve({ key: cursor.key, record: cursor.value });
          else cursor.continue();
        };
      }),

    /** Forgets the oldest records above so many; answers those. */
    async trim(most) {
      const all = objects("readwrite");
      const surplus = (await answer(all.count())) - most;
      if (surplus <= 0) return [];
      const [keys, records] = await Promise.all([answer(all.getAllKeys(null, surplus)), answer(all.getAll(null, surplus))]);
      await Promise.all(keys.map((key) => answer(all.delete(key))));
      return records;
    },
  };
  return store;
}
