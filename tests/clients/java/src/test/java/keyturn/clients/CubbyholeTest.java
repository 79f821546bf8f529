package keyturn.clients;

import static keyturn.clients.Vault.holder;
import static keyturn.clients.Vault.root;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The cubbyhole: each token's own secrets. */
class CubbyholeTest {
    @Test
    void eachTokenHasACubbyholeOfItsOwn() {
        root().write("cubbyhole/mine/a", Map.of("b", "c"));
        assertEquals(Map.of("b", "c"), root().read("cubbyhole/mine/a").getData());
        assertEquals(List.of("a"), root().list("cubbyhole/mine"));
        assertNull(holder("default").read("cubbyhole/mine/a"));
        root().delete("cubbyhole/mine/a");
        assertNull(root().read("cubbyhole/mine/a"));
    }
}
