/**
 * A store for requests that outlives the page: IndexedDB. What is put in the moment in which a page is left stands in localStorage until
 * the next look: of that, browsers lose nothing, while every tenth transaction of such a moment is lost with the page.
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
  const text = bytes && Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
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

  const objects = (mode) => database.transaction(STORE, mode).objectStore(STORE);

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
        all.transaction.onabort = lost;
        for (const [key, record] of entries) all.put(record, key);
        all.transaction.commit?.();
        return true;
      } catch {
        // It was closed meanwhile.
        return false;
      }
    },

    /** The same for a page that may be gone in a moment. */
    putNow(entries, lost) {
      if (!store.isUsable()) return false;
      const local = early();
      try {
        for (const [key, record] of entries) local.setItem(prefix + key, asText(record));
        return true;
      } catch {
        // There is no room, or none at all.
        for (const [key] of entries) local?.removeItem(prefix + key);
        return database !== undefined && store.put(entries, lost);
      }
    },

    /** Whether what `putNow` kept is where only this page has put its hand on it. */
    isUntouched: (key) => early()?.getItem(prefix + key) != null,

    /** Forgets a record. */
    async remove(key) {
      early()?.removeItem(prefix + key);
      if (database) await answer(objects("readwrite").delete(key));
    },

    /** Moves what pages left in localStorage into the database. For one page at a time. */
    async gather() {
      const local = early();
      const names = Object.keys(local ?? {}).filter((name) => name.startsWith(prefix));
      if (!names.length) return;
      const all = objects("readwrite");
      for (const name of names) {
        const record = fromText(local.getItem(name));
        if (record) all.put(record, Number(name.slice(prefix.length)));
      }
      await new Promise((resolve, reject) => {
        all.transaction.oncomplete = resolve;
        all.transaction.onabort = reject;
      });
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
