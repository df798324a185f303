// Profile → Security.
import { Heading } from "../../parts/Heading";
import { Password } from "./Password";
import { Phrase } from "./Phrase";
import { Sessions } from "./Sessions";
import { TwoFactor } from "./TwoFactor";

export function Security() {
  return (
    <>
      <Heading title="Security">
        <p className="lead">How you prove that it is you, and where you are signed in.</p>
      </Heading>
      <TwoFactor />
      <div className="two">
        <Password />
        <Phrase />
      </div>
      <Sessions />
    </>
  );
}
