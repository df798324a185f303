// What a person takes along with a new key: a file for the environment, and a first request that works as it is.
import type { Kind } from "../api/words";

export interface Place {
  origin: string;
  host: string;
}

export interface Credential {
  label: string;
  kind: Kind;
  kid: string;
  secret: string;
}

const TARGET = "/v1/balances";

/** A file that `fairlead` and the client library read; with the id beside the secret they sign. */
export function envText(key: Credential, place: Place): string {
  const head = [`# Fairlead API key ${key.label}, ${key.kid}`, `FAIRLEAD_URL=${place.origin}`];
  switch (key.kind) {
    case "bearer":
      return lines(...head, `FAIRLEAD_API_KEY=${key.secret}`);
    case "hmac":
      return lines(...head, `FAIRLEAD_API_KEY_ID=${key.kid}`, `FAIRLEAD_API_KEY=${key.secret}`);
    case "ed25519":
      return lines(...head, `FAIRLEAD_API_KEY_ID=${key.kid}`, "# FAIRLEAD_API_KEY is your private key, which only you have");
  }
}

export function exampleText(key: Credential, place: Place): string {
  if (key.kind === "bearer") {
    return lines(`curl -s '${place.origin}${TARGET}' \\`, `  -H 'X-CoinAPI-Key: ${key.secret}'`);
  }
  return lines(
    `KEY=${key.kid} HOST=${place.host} TARGET=${TARGET}`,
    ...(key.kind === "hmac" ? [`SECRET=${key.secret}`] : []),
    "TIMESTAMP=$(date +%s%3N) NONCE=$(openssl rand -hex 16)",
    "BODY=$(printf '' | openssl dgst -sha256 -r | cut -c1-64)",
    "printf 'FL1\\nGET\\n%s\\n%s\\n%s\\n%s\\n%s\\n%s' \\",
    '  "$HOST" "$TARGET" "$BODY" "$TIMESTAMP" "$NONCE" "$KEY" > signed.txt',
    key.kind === "hmac"
      ? 'SIGNATURE=$(openssl dgst -sha256 -hmac "$SECRET" -r signed.txt | cut -c1-64)'
      : "SIGNATURE=$(openssl pkeyutl -sign -inkey private.pem -rawin -in signed.txt | od -An -v -tx1 | tr -d ' \\n')",
    `curl -s "${place.origin}$TARGET" \\`,
    '  -H "X-Fairlead-Key: $KEY" -H "X-Fairlead-Timestamp: $TIMESTAMP" \\',
    '  -H "X-Fairlead-Nonce: $NONCE" -H "X-Fairlead-Signature: $SIGNATURE"',
  );
}

function lines(...texts: string[]): string {
  return `${texts.join("\n")}\n`;
}
