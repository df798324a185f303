import { expect, test } from "vitest";
import { readNetworks, withAddress } from "./addresses";

test.each([
  ["192.0.2.7", "192.0.2.7/32"],
  ["192.0.2.0/24", "192.0.2.0/24"],
  ["2001:db8::1", "2001:db8::1/128"],
  ["2001:DB8:0:0::/32", "2001:db8::/32"],
  ["2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1/128"],
  ["1:0:0:2:0:0:3:4", "1::2:0:0:3:4/128"],
  ["::1", "::1/128"],
  ["fe80::", "fe80::/128"],
  ["::ffff:192.0.2.7", "192.0.2.7/32"],
  ["::ffff:c000:200/120", "192.0.2.0/24"],
  ["64:ff9b::192.0.2.1", "64:ff9b::c000:201/128"],
])("%s is %s", (text, network) => {
  expect(readNetworks(text)).toEqual({ networks: [network], wrong: "" });
});

test.each([
  ["192.0.2.7/24", "the network is 192.0.2.0/24"],
  ["2001:db8::1/32", "the network is 2001:db8::/32"],
  ["0.0.0.0/0", "is every address"],
  ["::/0", "is every address"],
  ["::ffff:0:0/96", "holds every IPv4 address"],
  ["::/8", "holds every IPv4 address"],
  ["010.0.0.1", "is no address"],
  ["192.0.2", "is no address"],
  ["192.0.2.256", "is no address"],
  ["192.0.2.7/33", "a number from 1 to 32"],
  ["192.0.2.0/024", "a number from 1 to 32"],
  ["192.0.2.0/", "a number from 1 to 32"],
  ["192.0.2.0/24/1", "is no address"],
  ["fe80::1%eth0", "is no address"],
  ["1::2::3", "is no address"],
  ["1:2:3:4:5:6:7:8:9", "is no address"],
  ["1:2:3:4:5:6:7::8", "is no address"],
  ["12345::", "is no address"],
  ["desk.example", "is no address"],
])("%s is refused", (text, said) => {
  const { networks, wrong } = readNetworks(text);
  expect(networks).toEqual([]);
  expect(wrong).toContain(said);
});

test("lines, commas and blanks divide, and each counts once", () => {
  expect(readNetworks(" 192.0.2.7\n192.0.2.7/32, 2001:db8::/32\n\n").networks).toEqual([
    "192.0.2.7/32",
    "2001:db8::/32",
  ]);
  expect(readNetworks(" \n ")).toEqual({ networks: [], wrong: "" });
});

test("32 are taken, 33 are not", () => {
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `192.0.2.${index}`).join("\n");
  expect(readNetworks(lines(32)).networks).toHaveLength(32);
  expect(readNetworks(lines(33)).wrong).toBe("33 addresses; give at most 32");
});

test("an address is added once", () => {
  expect(withAddress("", "192.0.2.7")).toBe("192.0.2.7");
  expect(withAddress("192.0.2.0/24\n", "192.0.2.7")).toBe("192.0.2.0/24\n192.0.2.7");
  expect(withAddress("192.0.2.7/32", "192.0.2.7")).toBe("192.0.2.7/32");
  expect(withAddress("192.0.2.7", "no address")).toBe("192.0.2.7");
});
