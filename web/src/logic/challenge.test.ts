import { expect, test } from "vitest";
import { CHANGED, masked, next, type Phase, plainCode, LATE } from "./challenge";

const SENT: Phase = { is: "sent", challenge: "chl_1", sentTo: "a***@desk.example", untilMs: 600_000, payload: '{"label":"Bot1"}' };

test("a code is sent for what the form says", () => {
  expect(next({ is: "none" }, { ...SENT })).toEqual(SENT);
});

test("the same form leaves the code good", () => {
  expect(next(SENT, { is: "form", payload: SENT.payload })).toBe(SENT);
});

test("a changed form makes the code useless, also when it is changed back", () => {
  const changed = next(SENT, { is: "form", payload: '{"label":"Bot2"}' });
  expect(changed).toEqual({ is: "void", why: CHANGED });
  expect(next(changed, { is: "form", payload: SENT.payload })).toBe(changed);
});

test("a form that changes before anything is sent says nothing", () => {
  expect(next({ is: "none" }, { is: "form", payload: "{}" })).toEqual({ is: "none" });
});

test("a wrong code leaves it good", () => {
  expect(next(SENT, { is: "refused", code: "code_wrong", message: "one of the codes is wrong" })).toBe(SENT);
});

test.each(["challenge_over", "version_stale", "unreachable", "label_taken"])("%s ends it", (code) => {
  expect(next(SENT, { is: "refused", code, message: "why" })).toEqual({ is: "void", why: "why" });
});

test("a refusal of nothing changes nothing", () => {
  expect(next({ is: "none" }, { is: "refused", code: "busy", message: "later" })).toEqual({ is: "none" });
});

test("a new code follows one that is void", () => {
  expect(next({ is: "void", why: CHANGED }, { ...SENT })).toEqual(SENT);
});

test("an address is masked as the server masks it", () => {
  expect(masked("ann@desk.example")).toBe("a***@desk.example");
  expect(masked("a@b.example")).toBe("a***@b.example");
});

test("a pasted code may have spaces and line ends", () => {
  expect(plainCode(" 1234 5678\n")).toBe("12345678");
});

test("a code that is too old is useless, and that is said", () => {
  expect(next(SENT, { is: "late" })).toEqual({ is: "void", why: LATE });
  expect(next({ is: "none" }, { is: "late" })).toEqual({ is: "none" });
});
