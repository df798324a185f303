// Around every page of who is signed in: the ways to the others, and out.
import { type ReactNode, useRef } from "react";
import { Brand } from "../parts/Brand";
import { Button } from "../parts/Button";
import { Link } from "../parts/Link";
import { Notice } from "../parts/Notice";
import { Mail } from "../pages/Mail";
import { NotFound } from "../pages/NotFound";
import { Overview } from "../pages/Overview";
import { Security } from "../pages/security/Security";
import { Keys } from "../pages/keys/Keys";
import { Users } from "../pages/Users";
import { hrefOf, usePath } from "./router";
import { useMe, useSession } from "./session";
import { useTask } from "./task";

const PAGES: Record<string, () => ReactNode> = {
  "/": () => <Overview />,
  "/sign-in": () => <Overview />,
  "/profile/security": () => <Security />,
  "/profile/keys": () => <Keys />,
  "/users": () => <Users />,
  "/mail": () => <Mail />,
};

export function Shell() {
  const path = usePath();
  const page = PAGES[path] ?? (() => <NotFound />);
  const content = useRef<HTMLElement>(null);
  return (
    <div className="shell">
      <Side path={path} onSkip={() => content.current?.focus()} />
      <main ref={content} tabIndex={-1} key={path}>
        {page()}
      </main>
    </div>
  );
}

function Side({ path, onSkip }: { path: string; onSkip: () => void }) {
  const { state, leave } = useSession();
  const me = useMe();
  const leaving = useTask();
  return (
    <header className="side">
      <a
        className="skip"
        href={hrefOf(path)}
        onClick={(event) => {
          event.preventDefault();
          onSkip();
        }}
      >
        Skip to the content
      </a>
      <div className="side-stays">
        <Brand />
        <nav aria-label="Main" className="side-nav">
          <ul>
            <Entry to="/" path={path === "/sign-in" ? "/" : path}>
              Overview
            </Entry>
            <Entry to="/users" path={path}>
              Users
            </Entry>
            {state.mail === "sink" && (
              <Entry to="/mail" path={path}>
                Mail
              </Entry>
            )}
          </ul>
          <h2 id="side-profile">Profile</h2>
          <ul aria-labelledby="side-profile">
            <Entry to="/profile/security" path={path}>
              Security
            </Entry>
            <Entry to="/profile/keys" path={path}>
              API Management
            </Entry>
          </ul>
        </nav>
        <div className="side-who">
          <span className="side-email" title={me.email}>
            {me.email}
          </span>
          <Button look="quiet" isBusy={leaving.isBusy} onClick={() => void leaving.run(leave)}>
            Sign out
          </Button>
          {leaving.refused && <Notice tone="wrong">{leaving.refused.message}</Notice>}
        </div>
      </div>
    </header>
  );
}

function Entry(props: { to: string; path: string; children: ReactNode }) {
  return (
    <li>
      <Link to={props.to} aria-current={props.to === props.path ? "page" : undefined}>
        {props.children}
      </Link>
    </li>
  );
}
