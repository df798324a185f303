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

export function go(path: string, how: "push" | "replace" = "push"): void {
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
