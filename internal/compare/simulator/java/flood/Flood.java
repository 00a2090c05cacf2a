package flood;

import peersim.config.Configuration;
import peersim.core.CommonState;
import peersim.core.Linkable;
import peersim.core.Network;
import peersim.core.Node;
import peersim.edsim.EDProtocol;
import peersim.edsim.EDSimulator;

/**
 * A flood in PeerSim's event-driven model: whoever gets the message first sends it on, to
 * some peers drawn anew (fanout), or to its neighbours but the one it came from (fanout 0).
 *
 * What all peers share is static: nothing but one bit is a peer's own.
 */
@SuppressWarnings({"rawtypes", "unchecked"}) // EDProtocol is generic since 1.0.5 only
public class Flood implements EDProtocol {
    /** One message on its way: from whom, over how many links. Its copies share it. */
    static final class Copy {
        final Node from;
        final int hops;

        Copy(Node from, int hops) {
            this.from = from;
            this.hops = hops;
        }
    }

    private static int fanout, links, latency;
    private static double jitter;

    private boolean seen;

    /** Reads the parameters: of the times in ticks, jitter is the mean. */
    public Flood(String prefix) {
        fanout = Configuration.getInt(prefix + ".fanout");
        latency = Configuration.getInt(prefix + ".latency");
        jitter = Configuration.getDouble(prefix + ".jitter");
        links = fanout > 0 ? -1 : Configuration.getPid(prefix + ".linkable");
    }

    @Override
    public Object clone() {
        try {
            return super.clone();
        } catch (CloneNotSupportedException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void processEvent(Node node, int pid, Object event) {
        Copy c = (Copy) event;
        Tally.events++;
        if (c.hops > 0) {
            Tally.copies++;
        }
        if (seen) {
            return;
        }
        seen = true;
        Tally.first(CommonState.getTime(), c.hops);
        Copy next = new Copy(node, c.hops + 1);
        for (int i = 0; i < fanout; i++) {
            send(Network.get(CommonState.r.nextInt(Network.size())), pid, next);
        }
        if (fanout == 0) {
            Linkable l = (Linkable) node.getProtocol(links);
            for (int i = 0; i < l.degree(); i++) {
                if (l.getNeighbor(i) != c.from) {
                    send(l.getNeighbor(i), pid, next);
                }
            }
        }
    }

    /** The latency, and on top an exponential delay of whole ticks, at least one. */
    private static void send(Node to, int pid, Copy c) {
        double more = -Math.log(1 - CommonState.r.nextDouble()) * jitter;
        EDSimulator.add(latency + Math.max(1, Math.round(more)), c, to, pid);
    }
}
