import { expect, test } from "vitest";
import type { Key } from "../api/words";
import { agentText } from "./agent";
import { countText } from "./counts";
import { accountsText, addressesText, endsText } from "./keys";
import { pageCount, pageOf } from "./paging";
import { sentence } from "./sentence";
import { momentText } from "./times";

const NOW_MS = Date.parse("2026-11-27T21:00:00Z");
const KEY: Key = {
  kid: "flk_1",
  label: "Bot1",
  kind: "bearer",
  scopes: ["read"],
  accounts: null,
  ip_mode: "all",
  addresses: [],
  created: "2026-11-01T00:00:00.0000000Z",
  expires: null,
  state: "active",
  version: 1,
  etag: '"flk_1.1"',
  last_used: null,
  last_address: null,
};

test("moments are in UTC, to the minute", () => {
  expect(momentText("2026-11-27T21:05:59.1234567Z")).toBe("2026-11-27 21:05 UTC");
  expect(momentText("soon")).toBe("soon");
});

test.each([
  [null, ""],
  ["2027-02-27T21:00:00Z", ""],
  ["2026-12-13T20:59:59Z", ""],
  ["2026-12-12T20:59:59Z", "in 14 days"],
  ["2026-12-12T21:00:00Z", ""],
  ["2026-11-28T22:00:00Z", "in 1 day"],
  ["2026-11-28T20:00:00Z", "in less than a day"],
])("a key that ends at %s", (expires, said) => {
  expect(endsText({ ...KEY, expires }, NOW_MS)).toBe(said);
});

test("an expired key does not end once more", () => {
  expect(endsText({ ...KEY, expires: "2026-11-27T20:00:00Z", state: "expired" }, NOW_MS)).toBe("");
});

test("rights read as what they are", () => {
  expect(addressesText(KEY)).toBe("All IP addresses");
  expect(addressesText({ ...KEY, ip_mode: "trusted", addresses: ["192.0.2.7/32", "2001:db8::/32"] })).toBe(
    "192.0.2.7/32, 2001:db8::/32",
  );
  expect(accountsText(KEY)).toBe("All accounts");
  expect(accountsText({ ...KEY, accounts: ["SIM", "SIM/ALICE"] })).toBe("SIM, SIM/ALICE");
});

test("pages hold everything once, and there is always one", () => {
  expect(pageCount(0, 10)).toBe(1);
  expect(pageCount(10, 10)).toBe(1);
  expect(pageCount(11, 10)).toBe(2);
  const items = Array.from({ length: 23 }, (_, index) => index);
  expect([0, 1, 2].flatMap((page) => pageOf(items, page, 10))).toEqual(items);
});

test.each([
  ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36", "Chrome on Linux"],
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"],
  ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on macOS"],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iOS"],
  ["curl/8.14.1", "curl/8.14.1"],
  ["", "unknown"],
])("a browser is told in two words", (agent, said) => {
  expect(agentText(agent)).toBe(said);
});

test("words", () => {
  expect(countText(1, "key")).toBe("1 key");
  expect(countText(0, "key")).toBe("0 keys");
  expect(sentence("the label is taken")).toBe("The label is taken");
  expect(sentence("")).toBe("");
});
