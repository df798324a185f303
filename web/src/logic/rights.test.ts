import { expect, test } from "vitest";
import type { Key } from "../api/words";
import { accountsOffered, formOf, isChanged, isFine, rightsOf, withAccount, withScope, WITHDRAW_NEEDS } from "./rights";

const KEY: Key = {
  kid: "flk_1",
  label: "Bot1",
  kind: "bearer",
  scopes: ["read", "trade"],
  accounts: ["SIM", "SIM/ALICE"],
  ip_mode: "trusted",
  addresses: ["192.0.2.0/24", "2001:db8::/32"],
  created: "",
  expires: null,
  state: "active",
  version: 1,
  etag: "",
  last_used: null,
  last_address: null,
};

test("a form that nobody touched changes nothing", () => {
  const { rights, wrong } = rightsOf(formOf(KEY));
  expect(isFine(wrong)).toBe(true);
  expect(isChanged(KEY, rights)).toBe(false);
});

test("the same said otherwise is no change", () => {
  const form = { ...formOf(KEY), addresses: "2001:DB8::/32, 192.0.2.0/24", accounts: "SIM/ALICE SIM SIM" };
  expect(isChanged(KEY, rightsOf(form).rights)).toBe(false);
});

test("ticking and unticking is a change and none", () => {
  const ticked = withScope(formOf(KEY), "manage", true);
  expect(ticked.scopes).toEqual(["read", "trade", "manage"]);
  expect(isChanged(KEY, rightsOf(ticked).rights)).toBe(true);
  expect(isChanged(KEY, rightsOf(withScope(ticked, "manage", false)).rights)).toBe(false);
});

test("read is always on", () => {
  expect(withScope(formOf(KEY), "read", false).scopes).toEqual(["read", "trade"]);
});

test("withdraw needs trusted addresses", () => {
  const form = withScope({ ...formOf(KEY), ipMode: "all" as const }, "withdraw", true);
  expect(rightsOf(form).wrong.withdraw).toBe(WITHDRAW_NEEDS);
  expect(rightsOf({ ...form, ipMode: "trusted" }).wrong.withdraw).toBe("");
});

test("all addresses are none in the list", () => {
  expect(rightsOf({ ...formOf(KEY), ipMode: "all" }).rights.addresses).toEqual([]);
});

test("trusted without an address, and limited without an account, are refused", () => {
  expect(rightsOf({ ...formOf(KEY), addresses: " " }).wrong.addresses).not.toBe("");
  expect(rightsOf({ ...formOf(KEY), accounts: "\n" }).wrong.accounts).not.toBe("");
  expect(rightsOf({ ...formOf(KEY), isLimited: false, accounts: "" }).rights.accounts).toBe(null);
});

test("accounts are ticked and taken out, each once", () => {
  expect(withAccount("SIM\nSIM/ALICE", "SIM", true)).toBe("SIM/ALICE\nSIM");
  expect(withAccount("SIM, SIM/ALICE", "SIM", false)).toBe("SIM/ALICE");
});

test("accounts that are named and gone are offered too", () => {
  const offered = accountsOffered(["SIM/B", "SIM"], ["SIM", "SIM/A"]);
  expect(offered.map((each) => each.name)).toEqual(["SIM", "SIM/A", "SIM/B"]);
  expect(offered.filter((each) => !each.isThere).map((each) => each.name)).toEqual(["SIM/A"]);
});
