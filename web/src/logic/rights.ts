// The rights of a key as a form holds them while they are edited, and what they come to.
import { type IpMode, type Key, type Rights, type Scope, SCOPES } from "../api/words";
import { readNetworks } from "./addresses";

export interface RightsForm {
  scopes: Scope[];
  ipMode: IpMode;
  addresses: string;
  isLimited: boolean;
  accounts: string;
}

export interface Wrong {
  addresses: string;
  accounts: string;
  withdraw: string;
}

export const WITHDRAW_NEEDS = "“withdraw” needs trusted IPs";

export function formOf(key: Rights): RightsForm {
  return {
    scopes: key.scopes,
    ipMode: key.ip_mode,
    addresses: key.addresses.join("\n"),
    isLimited: key.accounts !== null,
    accounts: (key.accounts ?? []).join("\n"),
  };
}

/** Tick or untick a permission; "read" is always there. */
export function withScope(form: RightsForm, scope: Scope, isOn: boolean): RightsForm {
  const scopes = SCOPES.filter((each) => each === "read" || (each === scope ? isOn : form.scopes.includes(each)));
  return { ...form, scopes };
}

/** Read the accounts that are named, each once. */
export function readAccounts(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}

/** Name an account, or take it out. */
export function withAccount(text: string, name: string, isOn: boolean): string {
  const others = readAccounts(text).filter((each) => each !== name);
  return (isOn ? [...others, name] : others).join("\n");
}

/** What there is to choose from: the accounts that are there, and those that a key is limited to although they are gone. */
export function accountsOffered(there: readonly string[], named: readonly string[]): { name: string; isThere: boolean }[] {
  const gone = named.filter((each) => !there.includes(each));
  return [...there, ...gone].sort().map((name) => ({ name, isThere: there.includes(name) }));
}

export function rightsOf(form: RightsForm): { rights: Rights; wrong: Wrong } {
  const isTrusted = form.ipMode === "trusted";
  const { networks, wrong } = isTrusted ? readNetworks(form.addresses) : { networks: [], wrong: "" };
  const accounts = readAccounts(form.accounts).sort();
  return {
    rights: {
      scopes: form.scopes,
      accounts: form.isLimited ? accounts : null,
      ip_mode: form.ipMode,
      addresses: networks,
    },
    wrong: {
      addresses: wrong || (isTrusted && networks.length === 0 ? "name at least one address, or allow all" : ""),
      accounts: form.isLimited && accounts.length === 0 ? "name at least one account, or allow all" : "",
      withdraw: form.scopes.includes("withdraw") && !isTrusted ? WITHDRAW_NEEDS : "",
    },
  };
}

export function isFine(wrong: Wrong): boolean {
  return !wrong.addresses && !wrong.accounts && !wrong.withdraw;
}

const plain = (rights: Rights) =>
  JSON.stringify([
    SCOPES.filter((each) => rights.scopes.includes(each)),
    rights.accounts === null ? null : [...rights.accounts].sort(),
    rights.ip_mode,
    [...rights.addresses].sort(),
  ]);

export function isChanged(key: Key, rights: Rights): boolean {
  return plain(key) !== plain(rights);
}
