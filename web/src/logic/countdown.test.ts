import { expect, test } from "vitest";
import { leftText, secondsLeft } from "./countdown";

test.each([
  [0, 60],
  [1, 60],
  [1_000, 59],
  [59_001, 1],
  [60_000, 0],
  [90_000, 0],
])("after %d ms of a minute %d s are left", (passedMs, left) => {
  expect(secondsLeft(1_000_000 + 60_000, 1_000_000 + passedMs)).toBe(left);
});

test("a long wait is told in minutes", () => {
  expect(leftText(60)).toBe("60 s");
  expect(leftText(120)).toBe("120 s");
  expect(leftText(121)).toBe("3 min");
  expect(leftText(3_600)).toBe("60 min");
});
