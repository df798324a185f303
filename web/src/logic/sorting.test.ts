import { expect, test } from "vitest";
import type { Key, KeyState } from "../api/words";
import { type Order, sorted } from "./sorting";

const key = (label: string, state: KeyState, last_used: string | null, expires: string | null): Key => ({
  kid: label,
  label,
  kind: "bearer",
  scopes: ["read"],
  accounts: null,
  ip_mode: "all",
  addresses: [],
  created: "",
  expires,
  state,
  version: 1,
  etag: "",
  last_used,
  last_address: null,
});
const KEYS = [
  key("bot2", "disabled", null, "2026-12-01T00:00:00Z"),
  key("Bot1", "active", "2026-11-01T00:00:00Z", null),
  key("Bot3", "active", "2026-11-02T00:00:00Z", "2026-11-30T00:00:00Z"),
];

test.each<[Order, string[]]>([
  ["newest", ["bot2", "Bot1", "Bot3"]],
  ["label", ["Bot1", "bot2", "Bot3"]],
  ["used", ["Bot3", "Bot1", "bot2"]],
  ["ending", ["Bot3", "bot2", "Bot1"]],
  ["state", ["Bot1", "Bot3", "bot2"]],
])("by %s", (order, labels) => {
  expect(sorted(KEYS, order).map((each) => each.label)).toEqual(labels);
});
