// The client certificates of one key: which there are, a new one by both codes, one revoked by one factor.
import { useCallback, useMemo, useState } from "react";
import * as calls from "../../api/calls";
import type { Refused } from "../../api/client";
import type { Certificate, Key, NewCertificate } from "../../api/words";
import { useDraft } from "../../app/drafts";
import { useLoaded } from "../../app/loaded";
import { Awaited } from "../../parts/Awaited";
import { Badge, type BadgeTone } from "../../parts/Badge";
import { Button } from "../../parts/Button";
import { ChallengeForm } from "../../parts/ChallengeForm";
import { Copy } from "../../parts/Copy";
import { Dialog } from "../../parts/Dialog";
import { Moment } from "../../parts/Moment";
import { Notice } from "../../parts/Notice";
import { OneFactorForm } from "../../parts/OneFactorForm";
import { Table } from "../../parts/Table";
import { TextField } from "../../parts/TextField";

const COLUMNS = ["Fingerprint", "State", "Issued", "Expires", ""];
const TONES: Record<Certificate["state"], BadgeTone> = { active: "good", expired: "wrong", revoked: "plain" };
const FINGERPRINT_SHOWN = 16;
const OF_REQUEST = "request_invalid";

export function Certificates(props: { of: Key; onClose: () => void; onIssued: (issued: NewCertificate) => void }) {
  const { of: key, onClose } = props;
  const certificates = useLoaded(calls.certificates);
  const [revoking, setRevoking] = useState<Certificate | null>(null);
  const [said, setSaid] = useState("");
  const revoked = async () => {
    await certificates.reload(); // so that the list never has it active beside these words
    setRevoking(null);
    setSaid("The certificate is revoked. Its open connections end within a second.");
  };
  if (revoking !== null) {
    return <Revoke of={revoking} label={key.label} onClose={() => setRevoking(null)} onDone={revoked} />;
  }
  return (
    <Dialog title={`Certificates of ${key.label}`} isWide onClose={onClose}>
      <p>
        A client certificate stands for the key on the TLS listeners that ask for one, with its permissions, addresses and
        accounts, and ends with it.
      </p>
      {said && <Notice tone="good">{said}</Notice>}
      <Awaited of={certificates}>
        {(found) => <List of={key} certificates={found.filter((each) => each.kid === key.kid)} onRevoke={setRevoking} />}
      </Awaited>
      {key.state === "active" ? (
        <Issue of={key} onClose={onClose} onDone={props.onIssued} />
      ) : (
        <>
          <p className="hint">The key is {key.state}: only an active one is given a certificate.</p>
          <div className="buttons buttons-end">
            <Button onClick={onClose}>Close</Button>
          </div>
        </>
      )}
    </Dialog>
  );
}

function List(props: { of: Key; certificates: Certificate[]; onRevoke: (each: Certificate) => void }) {
  if (props.certificates.length === 0) return <p className="empty empty-small">It has no certificate yet.</p>;
  const label = `Certificates of ${props.of.label}`;
  return (
    <div className="scrolled" role="region" aria-label={label} tabIndex={0}>
      <Table label={label} columns={COLUMNS}>
        {props.certificates.map((each) => (
          <Table.Row key={each.fingerprint}>
            <Table.Cell column="Fingerprint">
              <code title={each.fingerprint}>{shortened(each)}</code>
              <Copy text={each.fingerprint} what={`fingerprint ${shortened(each)}`} />
            </Table.Cell>
            <Table.Cell column="State">
              <Badge tone={TONES[each.state]}>{each.state}</Badge>
            </Table.Cell>
            <Table.Cell column="Issued">
              <Moment at={each.created} />
            </Table.Cell>
            <Table.Cell column="Expires">
              <Moment at={each.expires} />
            </Table.Cell>
            <Table.Cell column="">
              {each.state === "active" && (
                <Button
                  look="quiet"
                  className="button-wrong"
                  aria-label={`Revoke certificate ${shortened(each)}`}
                  onClick={() => props.onRevoke(each)}
                >
                  Revoke
                </Button>
              )}
            </Table.Cell>
          </Table.Row>
        ))}
      </Table>
    </div>
  );
}

function shortened(certificate: Certificate): string {
  return `${certificate.fingerprint.slice(0, FINGERPRINT_SHOWN)}…`;
}

function Issue(props: { of: Key; onClose: () => void; onDone: (issued: NewCertificate) => void }) {
  const { of: key } = props;
  const [csr, setCsr] = useDraft(`certificate.issue ${key.kid}`, () => "");
  const [refused, setRefused] = useState("");
  const hear = useCallback((said: Refused | null) => setRefused(said?.code === OF_REQUEST ? said.message : ""), []);
  const payload = useMemo(() => ({ kid: key.kid, csr: csr.trim() ? csr : null }), [key, csr]);
  return (
    <section className="issue" aria-labelledby="issue-certificate">
      <h3 id="issue-certificate">Issue a certificate</h3>
      <ChallengeForm
        action="certificate.issue"
        payload={payload}
        isReady
        submit="Issue certificate"
        shownByFields={[OF_REQUEST]}
        onRefused={hear}
        onCancel={props.onClose}
        onDone={props.onDone}
      >
        <TextField
          label="Certificate signing request (optional)"
          value={csr}
          onValue={setCsr}
          placeholder="-----BEGIN CERTIFICATE REQUEST-----"
          hint="with one, the private key stays with you; without one, a private key is made and shown this once"
          error={refused}
        />
      </ChallengeForm>
    </section>
  );
}

function Revoke(props: { of: Certificate; label: string; onClose: () => void; onDone: () => Promise<void> }) {
  return (
    <Dialog title={`Revoke a certificate of ${props.label}?`} onClose={props.onClose}>
      <p>
        It can never be used again, and its open connections end within a second. The key itself, and its other
        certificates, stay as they are. This needs no mail.
      </p>
      <code className="secret">{props.of.fingerprint}</code>
      <OneFactorForm
        submit="Revoke"
        take={async (factor) => {
          await calls.revokeCertificate(props.of.fingerprint, factor);
          await props.onDone();
        }}
        onCancel={props.onClose}
      />
    </Dialog>
  );
}
