import { expect, test } from "vitest";
import { isLabel, labelChecks } from "./label";

test.each(["Bot1", "aB3", "A1a", `${"a".repeat(30)}B1`])("%s is a label", (label) => {
  expect(isLabel(label)).toBe(true);
});

test.each([
  "", "bot1", "BOT1", "Botx", "Bot 1", "Bøt1", "Ｂｏｔ１", "Bot1\n", " Bot1", "B1", "Bo-t1", "Bot١",
  `${"a".repeat(31)}B1`,
])("%j is none", (label) => {
  expect(isLabel(label)).toBe(false);
});

test("what is missing is told", () => {
  const missing = (label: string) => labelChecks(label).flatMap((each) => (each.isMet ? [] : [each.text]));
  expect(missing("bot1")).toEqual(["A–Z"]);
  expect(missing("BOT")).toEqual(["a–z", "0–9"]);
  expect(missing("B1")).toEqual(["a–z", "3 to 32 characters"]);
  expect(missing("Bot 1")).toEqual(["nothing else"]);
  expect(missing("")).toEqual(["A–Z", "a–z", "0–9", "3 to 32 characters", "nothing else"]);
});
