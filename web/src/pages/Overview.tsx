// Where one begins: what is set up, and what would be next.
import type { ReactNode } from "react";
import * as calls from "../api/calls";
import type { Key } from "../api/words";
import { useLoaded } from "../app/loaded";
import { useMe } from "../app/session";
import { countText } from "../logic/counts";
import { Awaited } from "../parts/Awaited";
import { Badge, type BadgeTone } from "../parts/Badge";
import { Heading } from "../parts/Heading";
import { Link } from "../parts/Link";
import { Section } from "../parts/Section";

export function Overview() {
  const me = useMe();
  const keys = useLoaded(calls.keys);
  return (
    <>
      <Heading title="Overview">
        <p className="lead">
          Signed in as {me.email}, subscription {me.subscription}. Your requests come from <code>{me.address}</code>.
        </p>
      </Heading>
      <Section title="Your account">
        <ul className="facts">
          <Fact
            title="Two-factor authentication"
            tone={me.two_factor ? "good" : "mind"}
            state={me.two_factor ? "On" : "Off"}
            to="/profile/security"
            way={me.two_factor ? "Security" : "Switch it on"}
          >
            {me.two_factor
              ? "Signing in needs your authenticator, and so does every key that you make."
              : "API keys need it: without it none can be made, changed or deleted."}
          </Fact>
          <Fact
            title="Anti-phishing phrase"
            tone={me.anti_phishing ? "good" : "plain"}
            state={me.anti_phishing ? "Set" : "Not set"}
            to="/profile/security"
            way={me.anti_phishing ? "Change it" : "Set one"}
          >
            {me.anti_phishing
              ? "Every letter to you repeats it."
              : "Words of your own by which you know that a letter is from here."}
          </Fact>
          <Awaited of={keys}>
            {(found) => (
              <Fact
                title="API keys"
                tone={found.length > 0 ? "good" : "plain"}
                state={countText(found.length, "key")}
                to="/profile/keys"
                way="API Management"
              >
                {keysText(found)}
              </Fact>
            )}
          </Awaited>
        </ul>
      </Section>
      <Section title="How programs reach this system">
        <dl className="places">
          <dt>REST and WebSocket</dt>
          <dd>
            <code>{window.location.origin}</code>
          </dd>
          <dt>Trading API, as an OpenAPI document</dt>
          <dd>
            <a href="/openapi.json">/openapi.json</a>
          </dd>
          <dt>Management API, as an OpenAPI document</dt>
          <dd>
            <a href="/openapi-management.json">/openapi-management.json</a>
          </dd>
        </dl>
      </Section>
    </>
  );
}

function keysText(keys: Key[]): string {
  if (keys.length === 0) return "Programs trade by keys. You have none yet.";
  const active = keys.filter((each) => each.state === "active").length;
  return active === keys.length ? "All of them can be used." : `${active} of ${keys.length} can be used.`;
}

function Fact(props: {
  title: string;
  tone: BadgeTone;
  state: string;
  to: string;
  way: string;
  children: ReactNode;
}) {
  return (
    <li className="fact">
      <h3>{props.title}</h3>
      <Badge tone={props.tone}>{props.state}</Badge>
      <p className="muted">{props.children}</p>
      <Link to={props.to}>{props.way}</Link>
    </li>
  );
}
