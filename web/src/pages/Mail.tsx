// Letters that would have been mailed: without a mail server they are kept on this machine.
import * as calls from "../api/calls";
import { useLoaded } from "../app/loaded";
import { Awaited } from "../parts/Awaited";
import { Button } from "../parts/Button";
import { Heading } from "../parts/Heading";
import { Moment } from "../parts/Moment";

export function Mail() {
  const letters = useLoaded(calls.mail);
  return (
    <>
      <Heading title="Mail">
        <p className="lead">
          No mail server is configured, so letters are kept on this machine, the newest first. <code>fairlead mail</code>{" "}
          shows them too.
        </p>
        <Button onClick={() => void letters.reload()}>Look again</Button>
      </Heading>
      <Awaited of={letters}>
        {(found) =>
          found.length === 0 ? (
            <p className="card empty">No letter has been written yet.</p>
          ) : (
            <ul className="letters" aria-label="Letters">
              {found.map((each, index) => (
                <li key={`${found.length - index}`} className="card letter">
                  <header>
                    <h2>{each.subject}</h2>
                    <p className="muted">
                      to {each.to}, <Moment at={each.time} />
                    </p>
                  </header>
                  <pre>{each.text}</pre>
                </li>
              ))}
            </ul>
          )
        }
      </Awaited>
    </>
  );
}
