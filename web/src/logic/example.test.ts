import { expect, test } from "vitest";
import { type Credential, envText, exampleText } from "./example";

const PLACE = { origin: "https://desk.example:8443", host: "desk.example:8443" };
const KEY: Credential = { label: "Bot1", kind: "bearer", kid: "flk_1", secret: "fl_live_x" };

test("a key that is sent is in the file without its id, which would make the commands sign", () => {
  expect(envText(KEY, PLACE)).toBe(
    "# Fairlead API key Bot1, flk_1\nFAIRLEAD_URL=https://desk.example:8443\nFAIRLEAD_API_KEY=fl_live_x\n",
  );
});

test("a key that signs is there with its id", () => {
  const text = envText({ ...KEY, kind: "hmac" }, PLACE);
  expect(text).toContain("FAIRLEAD_API_KEY_ID=flk_1\nFAIRLEAD_API_KEY=fl_live_x\n");
});

test("of Ed25519 there is no secret to tell", () => {
  const key: Credential = { ...KEY, kind: "ed25519", secret: "" };
  expect(envText(key, PLACE)).toContain("FAIRLEAD_API_KEY_ID=flk_1\n# FAIRLEAD_API_KEY is your private key");
  expect(exampleText(key, PLACE)).toContain("-inkey private.pem");
  expect(exampleText(key, PLACE)).not.toContain("SECRET");
});

test("the example is of this server", () => {
  expect(exampleText(KEY, PLACE)).toBe(
    "curl -s 'https://desk.example:8443/v1/balances' \\\n  -H 'X-CoinAPI-Key: fl_live_x'\n",
  );
});

test("what is signed has the eight lines of FL1", () => {
  const text = exampleText({ ...KEY, kind: "hmac" }, PLACE);
  expect(text).toContain("printf 'FL1\\nGET\\n%s\\n%s\\n%s\\n%s\\n%s\\n%s' \\\n");
  expect(text).toContain('"$HOST" "$TARGET" "$BODY" "$TIMESTAMP" "$NONCE" "$KEY"');
  expect(text).toContain("KEY=flk_1 HOST=desk.example:8443 TARGET=/v1/balances\nSECRET=fl_live_x\n");
});
