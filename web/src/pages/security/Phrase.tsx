// The anti-phishing phrase, which each letter to oneself repeats.
import { useState } from "react";
import * as calls from "../../api/calls";
import { useMe, useSession } from "../../app/session";
import { useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { Form } from "../../parts/Form";
import { Notice } from "../../parts/Notice";
import { Section } from "../../parts/Section";

const PHRASE_MAX = 64;

export function Phrase() {
  const me = useMe();
  const { changed } = useSession();
  const [phrase, setPhrase] = useState(me.anti_phishing);
  const [isDone, setIsDone] = useState(false);
  const task = useTask();
  const submit = () => {
    setIsDone(false);
    void task.run(async () => {
      const said = await calls.setPhrase(phrase);
      changed(said);
      setPhrase(said.anti_phishing);
      setIsDone(true);
    });
  };
  return (
    <Section
      title="Anti-phishing phrase"
      lead="Words of your own that every letter from Fairlead repeats. A letter without them is not from here."
    >
      <Form task={task} saidByFields={task.refused?.message ?? ""} onSubmit={submit}>
        {isDone && <Notice tone="good">Your letters repeat it from now on.</Notice>}
        <Field
          label="Phrase"
          maxLength={PHRASE_MAX}
          hint={`${phrase.length} of ${PHRASE_MAX} characters; empty: none`}
          value={phrase}
          onChange={(event) => {
            setPhrase(event.target.value);
            setIsDone(false);
          }}
          error={task.refused?.message ?? ""}
        />
        <div className="buttons">
          <Button type="submit" isBusy={task.isBusy} disabled={phrase === me.anti_phishing}>
            Save phrase
          </Button>
        </div>
      </Form>
    </Section>
  );
}
