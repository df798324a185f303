// What somebody has typed and not sent: kept, in the page's memory alone, while their session ends, and there again when
// they are back. Never a code, a password or a secret; never for anybody else.
import { useCallback, useEffect, useState } from "react";

const drafts = new Map<string, unknown>();
let owner = "";
let isHeld = false;

/** The session has ended: keep what is typed, whatever becomes of the page; but no private key in the wrong field. */
export function holdDrafts(): void {
  isHeld = true;
  for (const [name, value] of drafts) if (JSON.stringify(value).includes("PRIVATE KEY")) drafts.delete(name);
}

/** Somebody is signed in: what another one has typed is gone. */
export function claimDrafts(user: string): void {
  if (user !== owner) drafts.clear();
  owner = user;
  isHeld = false;
}

/** Forget what was typed below a name: it is done, or not wanted. */
export function forgetDrafts(begin = ""): void {
  for (const name of [...drafts.keys()]) if (name.startsWith(begin)) drafts.delete(name);
}

/** A state that outlives the session's end, but not its component otherwise. */
export function useDraft<Value>(name: string, initial: () => Value): [Value, (value: Value) => void] {
  const [value, setValue] = useState(() => (drafts.has(name) ? (drafts.get(name) as Value) : initial()));
  useEffect(
    () => () => {
      if (!isHeld) drafts.delete(name);
    },
    [name],
  );
  const set = useCallback(
    (next: Value) => {
      drafts.set(name, next);
      setValue(next);
    },
    [name],
  );
  return [value, set];
}
