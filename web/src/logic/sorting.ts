// In which order keys are listed. The server gives the newest first.
import type { Key, KeyState } from "../api/words";

export const ORDERS = [
  { value: "newest", text: "Newest first" },
  { value: "label", text: "Label A–Z" },
  { value: "used", text: "Last used first" },
  { value: "ending", text: "Ending soonest first" },
  { value: "state", text: "State" },
] as const;
export type Order = (typeof ORDERS)[number]["value"];

const STATES: readonly KeyState[] = ["active", "suspended", "disabled", "expired", "revoked"];

const textually = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

const COMPARED: Record<Order, (one: Key, other: Key) => number> = {
  newest: () => 0,
  label: (one, other) => textually(one.label.toLowerCase(), other.label.toLowerCase()),
  used: (one, other) => textually(other.last_used ?? "", one.last_used ?? ""),
  // What never ends comes last.
  ending: (one, other) => textually(one.expires ?? "~", other.expires ?? "~"),
  state: (one, other) => STATES.indexOf(one.state) - STATES.indexOf(other.state),
};

export function sorted(keys: readonly Key[], order: Order): Key[] {
  return [...keys].sort(COMPARED[order]);
}
