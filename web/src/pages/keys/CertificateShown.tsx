// A new certificate, with its private key where we made it: shown this once.
import type { NewCertificate } from "../../api/words";
import { Button } from "../../parts/Button";
import { Copy } from "../../parts/Copy";
import { download } from "../../parts/download";
import { OnceDialog } from "../../parts/OnceDialog";

export type IssuedCertificate = NewCertificate & { label: string };

export function CertificateShown(props: { issued: IssuedCertificate; onClose: () => void }) {
  const { fingerprint, label, pem } = props.issued;
  return (
    <OnceDialog
      title={`Save the certificate of ${label}`}
      isWide
      saved="I have saved it"
      asks="Close only when you have saved it: it cannot be shown again."
      onSaved={props.onClose}
      onForgotten={props.onClose}
    >
      <p>
        {pem.includes("PRIVATE KEY")
          ? "The private key in it is shown only now. Clients show the certificate on the TLS listeners that ask for one."
          : "It goes with the private key that you kept. Clients show it on the TLS listeners that ask for one."}
      </p>
      <dl className="credential">
        <dt>Fingerprint</dt>
        <dd>
          <code className="secret">{fingerprint}</code>
        </dd>
      </dl>
      <pre className="pem" role="region" aria-label="Certificate" tabIndex={0}>
        {pem}
      </pre>
      <div className="buttons">
        <Copy text={pem} what="certificate" />
        <Button look="quiet" onClick={() => download(`${label}.pem`, pem)}>
          Download .pem
        </Button>
      </div>
    </OnceDialog>
  );
}
