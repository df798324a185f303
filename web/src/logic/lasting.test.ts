import { expect, test } from "vitest";
import { daysLeftOf, daysOf, KEEP, NEVER, OF_NEW, ofExisting } from "./lasting";

test("a new key lasts so many days, or for ever", () => {
  expect(OF_NEW.map((each) => daysOf(each.value))).toEqual([7, 30, 90, 180, 365, 730, null]);
});

test("an existing one may keep its end, have another one, or none", () => {
  const options = ofExisting("2026-11-27 21:05 UTC").map((each) => daysLeftOf(each.value));
  expect(options).toEqual([null, 7, 30, 90, 180, 365, 730, "never"]);
});

test("what ends never already keeps that, and is not offered it again", () => {
  const values = ofExisting("").map((each) => each.value);
  expect(values[0]).toBe(KEEP);
  expect(values).not.toContain(NEVER);
});
