// How a key is proven: its secret is sent, or each request is signed.
import type { Kind } from "../../api/words";
import { Choice } from "../../parts/Choice";
import { TextField } from "../../parts/TextField";

const KINDS: readonly { kind: Kind; label: string; hint: string }[] = [
  { kind: "bearer", label: "Bearer", hint: "the secret is sent with each request; the simplest" },
  { kind: "hmac", label: "HMAC", hint: "each request is signed with the secret, which is never sent" },
  { kind: "ed25519", label: "Ed25519", hint: "each request is signed with a private key that only you have" },
];

export function KindFields(props: {
  kind: Kind;
  publicKey: string;
  onKind: (kind: Kind) => void;
  onPublicKey: (text: string) => void;
}) {
  return (
    <fieldset className="choices">
      <legend>Kind</legend>
      {KINDS.map((each) => (
        <Choice
          key={each.kind}
          type="radio"
          name="kind"
          label={each.label}
          hint={each.hint}
          checked={props.kind === each.kind}
          onChange={() => props.onKind(each.kind)}
        />
      ))}
      {props.kind === "ed25519" && <PublicKeyField value={props.publicKey} onValue={props.onPublicKey} />}
    </fieldset>
  );
}

export function PublicKeyField(props: { value: string; onValue: (text: string) => void }) {
  const isPrivate = props.value.includes("PRIVATE KEY");
  return (
    <TextField
      label="Public key"
      rows={4}
      value={props.value}
      onValue={props.onValue}
      placeholder="-----BEGIN PUBLIC KEY-----"
      hint={
        <>
          what <code>openssl pkey -in private.pem -pubout</code> prints of an Ed25519 key
        </>
      }
      error={isPrivate ? "this is a private key, which nobody else should have; take it out, and give the public one" : ""}
    />
  );
}
