// Which page is shown: by who is signed in, then by path. A deep link waits in the address for the sign-in.
import { Button } from "../parts/Button";
import { Notice } from "../parts/Notice";
import { FirstUser } from "../pages/entering/FirstUser";
import { Forgotten } from "../pages/entering/Forgotten";
import { Frame } from "../pages/entering/Frame";
import { Invitation } from "../pages/entering/Invitation";
import { SecondFactor } from "../pages/entering/SecondFactor";
import { SignIn } from "../pages/entering/SignIn";
import { Boundary } from "./Boundary";
import { usePath } from "./router";
import { SessionProvider, useSession } from "./session";
import { Shell } from "./Shell";

export function App() {
  return (
    <Boundary fallback={<Failed />}>
      <Provided />
    </Boundary>
  );
}

function Failed() {
  return (
    <Frame title="Something went wrong">
      <Notice tone="wrong">
        The page has failed, not the system: keys and orders are as they were. Load it again, and tell whoever runs the
        system if that does not help.
      </Notice>
      <Button look="first" onClick={() => window.location.reload()}>
        Load again
      </Button>
    </Frame>
  );
}

function Provided() {
  return (
    <SessionProvider
      waiting={<p className="waiting" role="status">Loading…</p>}
      unreachable={(message, again) => (
        <Frame title="Not available">
          <Notice tone="wrong">{message} It is tried again by itself every few seconds.</Notice>
          <Button look="first" onClick={again}>
            Try again
          </Button>
        </Frame>
      )}
    >
      <Pages />
    </SessionProvider>
  );
}

function Pages() {
  const path = usePath();
  const { state, me } = useSession();
  if (path === "/invitation") return <Invitation />;
  if (path === "/first-user" && me === null) return <FirstUser />;
  if (me !== null) return <Shell key={me.user} />;
  if (path === "/forgotten") return <Forgotten />;
  if (state.needs_first_user) return <FirstUser />;
  return state.needs_second_factor ? <SecondFactor /> : <SignIn />;
}
