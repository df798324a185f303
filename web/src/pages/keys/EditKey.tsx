// "Edit permissions" of one key. The form is of the key as it was when it was opened.
import { useMemo } from "react";
import type { Key, KeyEdit } from "../../api/words";
import { useDraft } from "../../app/drafts";
import { daysLeftOf, KEEP, ofExisting } from "../../logic/lasting";
import { formOf, isChanged, isFine, rightsOf } from "../../logic/rights";
import { momentText } from "../../logic/times";
import { ChallengeForm } from "../../parts/ChallengeForm";
import { SelectField } from "../../parts/SelectField";
import { RightsFields } from "./RightsFields";

export function EditKey(props: { of: Key; onCancel: () => void; onDone: () => Promise<void> }) {
  const key = props.of;
  const [form, setForm] = useDraft(`key.edit ${key.kid} rights`, () => formOf(key));
  const [lasting, setLasting] = useDraft(`key.edit ${key.kid} lasting`, () => KEEP);
  const { rights, wrong } = rightsOf(form);
  const said = JSON.stringify(rights);
  const payload = useMemo<KeyEdit>(
    () => ({ ...(JSON.parse(said) as typeof rights), kid: key.kid, version: key.version, expires_days: daysLeftOf(lasting) }),
    [said, key, lasting],
  );
  const options = useMemo(() => ofExisting(key.expires === null ? "" : momentText(key.expires)), [key]);
  const hasChanged = isChanged(key, rights) || lasting !== KEEP;
  return (
    <div className="edit" role="group" aria-label={`Edit permissions of ${key.label}`}>
      <ChallengeForm
        action="key.edit"
        payload={payload}
        isReady={hasChanged && isFine(wrong)}
        submit="Save"
        notReady={hasChanged ? "" : "Change something first."}
        onCancel={props.onCancel}
        onDone={props.onDone}
      >
        <RightsFields form={form} wrong={wrong} onForm={setForm} />
        <SelectField label="Expires" value={lasting} options={options} onValue={setLasting} />
      </ChallengeForm>
    </div>
  );
}
