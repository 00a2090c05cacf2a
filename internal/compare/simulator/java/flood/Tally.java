package flood;

import java.lang.management.ManagementFactory;
import java.util.Locale;
import peersim.config.Configuration;
import peersim.core.Control;

/** What an experiment counted; as a control it prints that as a line of JSON. */
public class Tally implements Control {
    static long events, copies, firsts, hops;
    private static long[] took; // first copies by the ticks they took

    public Tally(String prefix) {}

    static void begin() {
        events = copies = firsts = hops = 0;
        took = new long[Configuration.getInt("simulation.endtime")];
    }

    static void first(long now, int links) {
        firsts++;
        hops += links;
        took[(int) now]++;
    }

    /** Returns the ticks within which a share of the first copies came. */
    private static int quantile(double share) {
        long sum = 0;
        for (int t = 0; t < took.length; t++) {
            sum += took[t];
            if (sum > share * firsts) {
                return t;
            }
        }
        return took.length;
    }

    @Override
    public boolean execute() {
        var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        System.out.printf(Locale.ROOT,
            "{\"events\":%d,\"copies\":%d,\"firsts\":%d,\"hops\":%f,\"p50\":%d,\"p99\":%d,\"cpu\":%f,\"jvm\":\"%s\"}%n",
            events, copies, firsts, (double) hops / firsts, quantile(0.5), quantile(0.99), os.getProcessCpuTime() / 1e9,
            System.getProperty("java.vm.name") + " " + System.getProperty("java.vm.version"));
        return false;
    }
}
