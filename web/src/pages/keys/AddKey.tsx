// "Private API key": a new key. It may read, from everywhere, until its permissions are edited.
import { useCallback, useMemo, useState } from "react";
import type { Refused } from "../../api/client";
import type { KeyAdd, Kind, NewKey } from "../../api/words";
import { forgetDrafts, useDraft } from "../../app/drafts";
import { useMe } from "../../app/session";
import { isLabel } from "../../logic/label";
import { isPublicKey } from "../../logic/keys";
import { DAYS_DEFAULT, daysOf, OF_NEW } from "../../logic/lasting";
import { ChallengeForm } from "../../parts/ChallengeForm";
import { LabelField } from "../../parts/LabelField";
import { Section } from "../../parts/Section";
import { SelectField } from "../../parts/SelectField";
import { KindFields } from "./KindFields";

interface Typed {
  label: string;
  kind: Kind;
  publicKey: string;
  lasting: string;
}

const DRAFT = "key.add";
const NOTHING: Typed = { label: "", kind: "bearer", publicKey: "", lasting: String(DAYS_DEFAULT) };
const OF_LABEL = ["label_invalid", "label_taken"];

export function AddKey(props: { onDone: (made: NewKey) => void }) {
  const me = useMe();
  const [form, setForm] = useDraft<Typed>(DRAFT, () => NOTHING);
  const { label, kind, publicKey, lasting } = form;
  const [isOpen, setIsOpen] = useState(kind !== "bearer"); // what was chosen there is to be seen
  const [refused, setRefused] = useState<Refused | null>(null);
  const payload = useMemo<KeyAdd>(
    () => ({
      label,
      kind,
      public_key: kind === "ed25519" ? publicKey : null,
      scopes: ["read"],
      accounts: null,
      ip_mode: "all",
      addresses: [],
      expires_days: daysOf(lasting),
    }),
    [label, kind, publicKey, lasting],
  );
  const hear = useCallback((said: Refused | null) => setRefused(said), []);
  const labelError = refused && OF_LABEL.includes(refused.code) ? refused.message : "";
  return (
    <Section
      title="Private API key"
      lead="A new key may read, and nothing else, from all addresses. What more it may, and from where alone, you say by “Edit permissions” in the list below."
    >
      <fieldset disabled={!me.two_factor} className="plain">
        <legend className="unseen">Add a private API key</legend>
        <ChallengeForm
          action="key.add"
          payload={payload}
          isReady={isLabel(label) && (kind !== "ed25519" || isPublicKey(publicKey))}
          submit="Add"
          notReady={isLabel(label) ? "Give the public key first." : "Give a label first."}
          shownByFields={OF_LABEL}
          onRefused={hear}
          onDone={(made) => {
            forgetDrafts(DRAFT);
            props.onDone(made);
          }}
        >
          <LabelField label="API Key Label" value={label} onValue={(typed) => setForm({ ...form, label: typed })} error={labelError} />
          <details className="advanced" open={isOpen} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
            <summary>Advanced</summary>
            <div className="two">
              <KindFields
                kind={kind}
                publicKey={publicKey}
                onKind={(chosen) => setForm({ ...form, kind: chosen })}
                onPublicKey={(typed) => setForm({ ...form, publicKey: typed })}
              />
              <SelectField
                label="Expires after"
                value={lasting}
                options={OF_NEW}
                onValue={(chosen) => setForm({ ...form, lasting: chosen })}
              />
            </div>
          </details>
        </ChallengeForm>
      </fieldset>
    </Section>
  );
}
