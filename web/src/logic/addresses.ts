// Networks that a key may be used from, as they are typed: read as the server reads them, and told what is wrong.

export const ADDRESSES_MAX = 32;

export interface Networks {
  networks: string[];
  wrong: string;
}

/** Read one network a line (commas do too). `networks` are in their plain form, each once, in order. */
export function readNetworks(text: string): Networks {
  const networks = new Set<string>();
  for (const each of text.split(/[\s,;]+/).filter(Boolean)) {
    const read = readNetwork(each);
    if (read.wrong) return { networks: [], wrong: read.wrong };
    networks.add(read.network);
  }
  if (networks.size > ADDRESSES_MAX) {
    return { networks: [], wrong: `${networks.size} addresses; give at most ${ADDRESSES_MAX}` };
  }
  return { networks: [...networks], wrong: "" };
}

/** Add an address to what is typed, unless it is there. */
export function withAddress(text: string, address: string): string {
  const before = text.trimEnd();
  const read = readNetwork(address);
  if (read.wrong || readNetworks(text).networks.includes(read.network)) return text;
  return before ? `${before}\n${address}` : address;
}

type Read = { network: string; wrong: string };

function readNetwork(text: string): Read {
  const [address = "", prefixText, ...more] = text.split("/");
  const bytes = readV4(address) ?? readV6(address);
  if (bytes === null || more.length > 0) return wrong(`${text} is no address; such as 192.0.2.7 or 2001:db8::/32`);
  const bits = bytes.length * 8;
  const prefix = prefixText === undefined ? bits : readPrefix(prefixText, bits);
  if (prefix === null) return wrong(`${text}: after the / comes a number from 1 to ${bits}`);
  if (prefix === 0) return wrong(`${text} is every address; allow all addresses instead`);
  if (hasHostBits(bytes, prefix)) {
    return wrong(`${text} has bits set beyond /${prefix}; the network is ${networkText(masked(bytes, prefix), prefix)}`);
  }
  if (isMapped(bytes)) {
    if (prefix <= 96) return wrong(`${text} holds every IPv4 address; name the networks that are meant`);
    return right(bytes.slice(12), prefix - 96);
  }
  if (prefix < 96 && holdsMapped(bytes, prefix)) {
    return wrong(`${text} holds every IPv4 address; name the networks that are meant`);
  }
  return right(bytes, prefix);
}

function wrong(text: string): Read {
  return { network: "", wrong: text };
}

function right(bytes: number[], prefix: number): Read {
  return { network: networkText(bytes, prefix), wrong: "" };
}

function readPrefix(text: string, bits: number): number | null {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) return null;
  const prefix = Number(text);
  return prefix <= bits ? prefix : null;
}

function readV4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((each) => /^(0|[1-9][0-9]{0,2})$/.test(each))) return null;
  const bytes = parts.map(Number);
  return bytes.every((each) => each <= 255) ? bytes : null;
}

function readV6(text: string): number[] | null {
  const halves = text.split("::");
  if (!text.includes(":") || halves.length > 2) return null;
  const [head, tail] = [groupsOf(halves[0] ?? ""), groupsOf(halves[1] ?? "")];
  if (head === null || tail === null) return null;
  const missing = 16 - head.length - tail.length;
  const isShort = halves.length === 2;
  if (isShort ? missing < 2 : missing !== 0) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function groupsOf(text: string): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const parts = text.split(":");
  for (const [place, part] of parts.entries()) {
    const inner = place === parts.length - 1 ? readV4(part) : null;
    if (inner !== null) bytes.push(...inner);
    else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) bytes.push(parseInt(part, 16) >> 8, parseInt(part, 16) & 255);
    else return null;
  }
  return bytes;
}

function masked(bytes: number[], prefix: number): number[] {
  return bytes.map((each, place) => {
    const kept = Math.min(8, Math.max(0, prefix - place * 8));
    return each & (0xff00 >> kept) & 255;
  });
}

function hasHostBits(bytes: number[], prefix: number): boolean {
  return masked(bytes, prefix).some((each, place) => each !== bytes[place]);
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];

function isMapped(bytes: number[]): boolean {
  return bytes.length === 16 && MAPPED.every((each, place) => bytes[place] === each);
}

function holdsMapped(bytes: number[], prefix: number): boolean {
  if (bytes.length !== 16) return false;
  const mapped = masked([...MAPPED, 0, 0, 0, 0], prefix);
  return mapped.every((each, place) => bytes[place] === each);
}

function networkText(bytes: number[], prefix: number): string {
  return `${bytes.length === 4 ? bytes.join(".") : v6Text(bytes)}/${prefix}`;
}

/** RFC 5952: the longest run of two or more zero groups is `::`, the first of equals. */
function v6Text(bytes: number[]): string {
  const groups = Array.from({ length: 8 }, (_, place) => ((bytes[2 * place] ?? 0) << 8) | (bytes[2 * place + 1] ?? 0));
  let [start, length] = [-1, 1];
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from > length) [start, length] = [from, to - from];
  }
  const texts = groups.map((each) => each.toString(16));
  if (start < 0) return texts.join(":");
  return `${texts.slice(0, start).join(":")}::${texts.slice(start + length).join(":")}`;
}
