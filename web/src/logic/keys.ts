// How a key's rights and states read.
import type { Key, KeyState, Rights } from "../api/words";
import { daysUntil } from "./times";

export const STATE_TONES: Record<KeyState, "good" | "mind" | "wrong" | "plain"> = {
  active: "good",
  suspended: "mind",
  disabled: "plain",
  expired: "wrong",
  revoked: "plain",
};

export function addressesText(rights: Rights): string {
  return rights.ip_mode === "all" ? "All IP addresses" : rights.addresses.join(", ");
}

export function accountsText(rights: Rights): string {
  return rights.accounts === null ? "All accounts" : rights.accounts.join(", ");
}

/** How soon a key ends, where that is soon. */
export function endsText(key: Key, nowMs: number): string {
  if (key.expires === null || key.state === "expired") return "";
  const days = daysUntil(key.expires, nowMs);
  if (days > 14) return "";
  if (days < 1) return "in less than a day";
  return days === 1 ? "in 1 day" : `in ${days} days`;
}

/** Whether a text may be a public key. A private one is not even sent to be refused. */
export function isPublicKey(text: string): boolean {
  return text.includes("PUBLIC KEY") && !text.includes("PRIVATE KEY");
}
