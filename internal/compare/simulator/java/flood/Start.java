package flood;

import peersim.config.Configuration;
import peersim.core.CommonState;
import peersim.core.Control;
import peersim.core.Network;
import peersim.edsim.EDSimulator;

/** Has a peer that is drawn publish the message. */
public class Start implements Control {
    private final int pid;

    public Start(String prefix) {
        pid = Configuration.getPid(prefix + ".protocol");
    }

    @Override
    public boolean execute() {
        Tally.begin();
        EDSimulator.add(0, new Flood.Copy(null, 0), Network.get(CommonState.r.nextInt(Network.size())), pid);
        return false;
    }
}
