// What else is done to a key, each in a dialog that names it: enabled, replaced.
import { useCallback, useMemo, useState } from "react";
import type { Refused } from "../../api/client";
import type { Key, NewKey } from "../../api/words";
import { useDraft } from "../../app/drafts";
import { isPublicKey } from "../../logic/keys";
import { isLabel } from "../../logic/label";
import { ChallengeForm } from "../../parts/ChallengeForm";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";
import { LabelField } from "../../parts/LabelField";
import { PublicKeyField } from "./KindFields";

export function EnableKey(props: { of: Key; onClose: () => void; onDone: () => Promise<void> }) {
  const { of: key, onClose, onDone } = props;
  const payload = useMemo(() => ({ kid: key.kid }), [key]);
  return (
    <Dialog title={`Enable ${key.label}?`} onClose={onClose}>
      <p>It is {key.state}. Enabled, it can be used again with the permissions that it has.</p>
      <ChallengeForm action="key.enable" payload={payload} isReady submit="Enable" onCancel={onClose} onDone={onDone} />
    </Dialog>
  );
}

const OVERLAP_MAX = 168;
const OF_LABEL = ["label_invalid", "label_taken"];

export function RotateKey(props: { of: Key; onClose: () => void; onDone: (made: NewKey) => void }) {
  const { of: key, onClose, onDone } = props;
  const [label, setLabel] = useDraft(`key.rotate ${key.kid} label`, () => "");
  const [hours, setHours] = useDraft(`key.rotate ${key.kid} hours`, () => "24");
  const [publicKey, setPublicKey] = useDraft(`key.rotate ${key.kid} public key`, () => "");
  const [refused, setRefused] = useState<Refused | null>(null);
  const isEd25519 = key.kind === "ed25519";
  const isHours = /^[0-9]{1,3}$/.test(hours) && Number(hours) <= OVERLAP_MAX;
  const payload = useMemo(
    () => ({
      kid: key.kid,
      label,
      overlap_hours: isHours ? Number(hours) : 0,
      public_key: isEd25519 ? publicKey : null,
    }),
    [key, label, hours, isHours, isEd25519, publicKey],
  );
  const hear = useCallback((said: Refused | null) => setRefused(said), []);
  return (
    <Dialog title={`Rotate ${key.label}`} isWide onClose={onClose}>
      <p>A new key with the same permissions, and its own secret. {key.label} works on for the overlap, and then ends.</p>
      <ChallengeForm
        action="key.rotate"
        payload={payload}
        isReady={isLabel(label) && isHours && (!isEd25519 || isPublicKey(publicKey))}
        submit="Rotate"
        shownByFields={OF_LABEL}
        onRefused={hear}
        onCancel={onClose}
        onDone={onDone}
      >
        <LabelField
          label="Label of the new key"
          value={label}
          onValue={setLabel}
          error={refused && OF_LABEL.includes(refused.code) ? refused.message : ""}
        />
        {isEd25519 && <PublicKeyField value={publicKey} onValue={setPublicKey} />}
        <Field
          label="Overlap in hours"
          inputMode="numeric"
          value={hours}
          onChange={(event) => setHours(event.target.value)}
          hint={`0 to ${OVERLAP_MAX}: how long both keys work`}
          error={isHours ? "" : `give whole hours from 0 to ${OVERLAP_MAX}`}
        />
      </ChallengeForm>
    </Dialog>
  );
}
