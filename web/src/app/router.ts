// Where the page is: a path below /console. Tokens come in the fragment, and leave the address at once.
import { useSyncExternalStore } from "react";

const BASE = "/console";
const WITH_TOKEN = ["/first-user", "/invitation"];
const listeners = new Set<() => void>();

function tell(): void {
  for (const each of listeners) each();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

/** Return an address as the path that the page knows it by. */
export function pathOf(pathname: string): string {
  const below = pathname.startsWith(`${BASE}/`) ? pathname.slice(BASE.length) : "/";
  return below.length > 1 ? below.replace(/\/$/, "") : below;
}

export function hrefOf(path: string): string {
  return BASE + path;
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => pathOf(window.location.pathname));
}

export function useQuery(name: string): string {
  return useSyncExternalStore(
    subscribe,
    () => new URLSearchParams(window.location.search).get(name) ?? "",
  );
}

// A dialog has an entry of its own in the history, so that "Back" closes the dialog and not the page behind it.
const OF_DIALOG = "dialog";
let afterwards: (() => void)[] | null = null; // what waits for such an entry to be taken out
let ours: Event | null = null; // what told that it was taken out, which a dialog that is new hears too

/** Have "Back" be heard by a dialog until what is returned is called. */
export function holdBack(heard: () => void): () => void {
  const enter = () => window.history.pushState(OF_DIALOG, "");
  const back = (event: Event) => {
    if (afterwards !== null || event === ours) return;
    enter();
    heard();
  };
  if (afterwards === null) enter();
  else afterwards.push(enter);
  window.addEventListener("popstate", back);
  return () => {
    window.removeEventListener("popstate", back);
    if (window.history.state !== OF_DIALOG || afterwards !== null) return;
    afterwards = [];
    window.addEventListener("popstate", taken, { once: true });
    window.history.back();
  };
}

function taken(event: Event): void {
  ours = event;
  const waiting = afterwards ?? [];
  afterwards = null;
  for (const each of waiting) each();
}

export function go(path: string, how: "push" | "replace" = "push"): void {
  if (afterwards !== null) {
    afterwards.push(() => go(path, how));
    return;
  }
  if (how === "push") window.history.pushState(null, "", hrefOf(path));
  else window.history.replaceState(null, "", hrefOf(path));
  window.scrollTo(0, 0);
  tell();
}

let token = "";

/** Take the token out of the address, where there is one; nothing but this page has it from then on. */
export function takeToken(): void {
  const path = pathOf(window.location.pathname);
  if (!WITH_TOKEN.includes(path) || window.location.hash.length < 2) return;
  token = decoded(window.location.hash.slice(1));
  window.history.replaceState(null, "", hrefOf(path));
  tell();
}

export function tokenOfAddress(): string {
  return token;
}

export function forgetToken(): void {
  token = "";
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
